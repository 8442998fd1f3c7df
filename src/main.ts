import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { EXIT } from './cli/context.ts'
import { runCommand } from './cli/run-command.ts'
import { packageRoot } from './home.ts'

/** `rosh <command>`: the only place that reads the environment and decides the exit code. */
async function main(argv: readonly string[], stopping: AbortController): Promise<number> {
  let asked = 0
  const stop = (): void => {
    // npm passes a second SIGINT on for one Ctrl-C; only a later one means "at once".
    if (stopping.signal.aborted && Date.now() - asked > 2_000) process.exit(EXIT.failed)
    asked = asked || Date.now()
    stopping.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return runCommand(argv, {
    env: process.env,
    signal: stopping.signal,
    print: (line) => process.stdout.write(`${line}\n`),
    progress: (line) => process.stderr.write(`${line}\n`),
    columns: process.stdout.isTTY ? process.stdout.columns : undefined,
  })
}

const LONGEST_UNREAD_MS = 60_000

/**
 * Last words on stderr would hold the process for as long as nobody reads them: they have a second once it was told to end, and a minute
 * otherwise, or as long as an answer on stdout is being read.
 */
function endUnread(told: AbortSignal): void {
  const since = performance.now()
  const end = (): void => {
    const isLate = performance.now() - since > LONGEST_UNREAD_MS && process.stdout.writableLength === 0
    if (process.stderr.writableLength > 0 && (told.aborted || isLate)) process.exit()
  }
  setInterval(end, 1_000).unref()
}

// `rosh trace ... | head` closes the pipe early; that is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  throw error
})
// A log whose collector is gone or whose disk is full is lost. No hub ends with it, and there is nowhere to say so.
process.stderr.on('error', () => {})
const envFile = join(packageRoot, '.env')
// What the environment already holds wins over the file.
if (existsSync(envFile)) process.loadEnvFile(envFile)
const stopping = new AbortController()
process.exitCode = await main(process.argv.slice(2), stopping)
endUnread(stopping.signal)
