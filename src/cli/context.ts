import type { Command } from 'commander'

/** Exit codes of every command, as documented. */
export const EXIT = { ok: 0, failed: 1, badInput: 2, hubNotRunning: 3 } as const

/** The exit code of each outcome that is no success; the only place that says so. `docs/runbook.md` and `--help` tell of it in words. */
const OUTCOMES = {
  // What was typed, or what this machine is set up with, must be mended first; the same call would end the same way.
  'bad-input': EXIT.badInput,
  ambiguous: EXIT.badInput,
  'unknown-order': EXIT.badInput,
  'unknown-dead-letter': EXIT.badInput,
  'unknown-token': EXIT.badInput,
  'needs-yes': EXIT.badInput,
  'real-system': EXIT.badInput,
  'bad-configuration': EXIT.badInput,
  'bad-setup': EXIT.badInput,
  misconfigured: EXIT.badInput,
  'not-migrated': EXIT.badInput,
  'port-busy': EXIT.badInput,
  'simulator-not-started': EXIT.badInput,
  'already-running': EXIT.badInput,
  'hub-not-running': EXIT.hubNotRunning,
  // It was understood, and did not come about, or what was looked at is not as it should be.
  refused: EXIT.failed,
  'nothing-to-retry': EXIT.failed,
  'not-ready': EXIT.failed,
  'not-connected': EXIT.failed,
  'broken-chain': EXIT.failed,
  'bad-audit-file': EXIT.failed,
  'no-checkpoints': EXIT.failed,
  unaudited: EXIT.failed,
  database: EXIT.failed,
  'simulator-unreachable': EXIT.failed,
  'simulator-refused': EXIT.failed,
  'simulator-ended': EXIT.failed,
  'no-grant': EXIT.failed,
  'still-running': EXIT.failed,
  interrupted: EXIT.failed,
  expired: EXIT.failed,
  failed: EXIT.failed,
} as const

export type Outcome = keyof typeof OUTCOMES

/** What is said of an outcome that is no success: in the same words for people and, as `error`, in the JSON of every command. */
export interface Failure {
  code: Outcome
  message: string
  /** Further keys of `error`, such as the candidates of an ambiguous identifier. */
  details?: Record<string, unknown>
}

/** A failure that is the person's to mend: printed as it stands (or as JSON), never as a stack. */
export class CliError extends Error implements Failure {
  readonly exitCode: number
  readonly code: Outcome
  readonly details: Record<string, unknown>
  constructor(code: Outcome, message: string, details: Record<string, unknown> = {}) {
    super(message)
    this.name = 'CliError'
    this.code = code
    this.exitCode = OUTCOMES[code]
    this.details = details
  }
}

/** The value of `error` in the JSON of a command. */
export function errorJson({ code, message, details }: Failure): Record<string, unknown> {
  return { code, message, ...details }
}

interface Answer {
  /** The JSON object of the command. */
  data: Record<string, unknown>
  /** Prints the same for people. */
  say: () => void
  failure?: Failure | undefined
}

/**
 * Ends a command that has something to show: one JSON object or text, and the exit code. Where it is no success, the JSON holds `error` too; `say` then
 * tells of it itself.
 */
export function conclude({ print }: CliContext, json: boolean | undefined, { data, say, failure }: Answer): void {
  if (json) print(JSON.stringify(failure ? { ...data, error: errorJson(failure) } : data))
  else say()
  if (failure) process.exitCode = OUTCOMES[failure.code]
}

export interface CliContext {
  env: Record<string, string | undefined>
  /** Aborts on SIGINT and SIGTERM. */
  signal: AbortSignal
  print: (line: string) => void
  progress: (line: string) => void
  /** Width of the terminal; absent where the output goes to a file or a pipe, whose lines stay whole. */
  columns?: number | undefined
}

/** What a file of `src/cli` offers to `main.ts`. */
export type Register = (program: Command, context: CliContext) => void
