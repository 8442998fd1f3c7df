import type { Command } from 'commander'

/** Exit codes of every command, as documented. */
export const EXIT = { ok: 0, failed: 1, badInput: 2, hubNotRunning: 3 } as const

/** A failure that is the person's to mend: printed as one line (or JSON), never as a stack. */
export class CliError extends Error {
  readonly exitCode: number
  readonly code: string
  constructor(code: string, message: string, exitCode: number = EXIT.failed) {
    super(message)
    this.name = 'CliError'
    this.code = code
    this.exitCode = exitCode
  }
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
