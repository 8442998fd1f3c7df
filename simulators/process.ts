import { fileURLToPath } from 'node:url'
import { z } from 'zod'

export interface RunningSimulator {
  url: string
  port: number
  close(): Promise<void>
}

/** Settings that every simulator reads; spread into the schema of one. Empty variables count as absent. */
export const port = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback)
export const simulatorKey = z.string().min(1).default('change-me')

/** `<repository>/.rosh/<name>.ledger.jsonl` */
export function defaultLedgerPath(name: string): string {
  return fileURLToPath(new URL(`../.rosh/${name}.ledger.jsonl`, import.meta.url))
}

function withoutEmpty(environment: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  )
}

/**
 * The life of a simulator's process: prints `{"listening": PORT}` when ready, closes on SIGTERM and SIGINT. With END_WITH_STDIN=1 it also
 * closes when its standard input ends, which it does when whoever started it is gone, killed with -9 included.
 * A wrong setting (all of them named at once) or a busy port is exit code 2.
 */
export async function runSimulator<Settings>(options: {
  name: string
  portVariable: string
  schema: z.ZodType<Settings>
  environment: Record<string, string | undefined>
  start: (settings: Settings) => Promise<RunningSimulator>
}): Promise<void> {
  const settings = options.schema.safeParse(withoutEmpty(options.environment))
  if (!settings.success) {
    for (const issue of settings.error.issues) complain(options.name, `${issue.path.join('.')}: ${issue.message}`)
    process.exitCode = 2
    return
  }
  let running: RunningSimulator
  try {
    running = await options.start(settings.data)
  } catch (error) {
    complain(options.name, startProblem(error, options.portVariable))
    process.exitCode = 2
    return
  }
  const stop = () => {
    running.close().then(
      () => process.exit(0),
      (error: unknown) => {
        complain(options.name, String(error))
        process.exit(1)
      },
    )
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  if (options.environment.END_WITH_STDIN === '1') process.stdin.once('end', stop).resume()
  process.stdout.write(`${JSON.stringify({ listening: running.port })}\n`)
}

function startProblem(error: unknown, portVariable: string): string {
  if (!(error instanceof Error)) return String(error)
  if ('code' in error && error.code === 'EADDRINUSE') {
    const busy = 'port' in error ? String(error.port) : ''
    return `port ${busy} is in use: stop what listens there or set ${portVariable} to another port`
  }
  return error.message
}

function complain(name: string, problem: string): void {
  process.stderr.write(`${name}: ${problem}\n`)
}
