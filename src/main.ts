import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { registerAudit } from './cli/audit.ts'
import { registerAuth } from './cli/auth.ts'
import { type CliContext, CliError, EXIT, type Register } from './cli/context.ts'
import { registerDlq } from './cli/dlq.ts'
import { registerDoctor } from './cli/doctor.ts'
import { registerMcp } from './cli/mcp.ts'
import { registerMigrate } from './cli/migrate.ts'
import { registerPersonalData } from './cli/personal-data.ts'
import { registerRotateKeys } from './cli/rotate-keys.ts'
import { registerSeed } from './cli/seed.ts'
import { registerServices } from './cli/services.ts'
import { registerStatus } from './cli/status.ts'
import { registerTokens } from './cli/tokens.ts'
import { registerTrace } from './cli/trace.ts'
import { registerTraffic } from './cli/traffic.ts'
import { registerUp } from './cli/up.ts'
import { ConfigError } from './config.ts'
import { packageRoot } from './home.ts'
import { withManagedSecrets } from './managed-secrets.ts'

const COMMANDS: Register[] = [
  registerUp,
  registerStatus,
  registerTrace,
  registerDlq,
  registerMcp,
  registerAuth,
  registerTokens,
  registerAudit,
  registerRotateKeys,
  registerPersonalData,
  registerDoctor,
  registerMigrate,
  registerSeed,
  registerTraffic,
  registerServices,
]

/** `rosh <command>`: the only place that reads the environment and decides the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const stopping = new AbortController()
  let asked = 0
  const stop = (): void => {
    // npm passes a second SIGINT on for one Ctrl-C; only a later one means "at once".
    if (stopping.signal.aborted && Date.now() - asked > 2_000) process.exit(EXIT.failed)
    asked = asked || Date.now()
    stopping.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  const context: CliContext = {
    env: process.env,
    signal: stopping.signal,
    print: (line) => process.stdout.write(`${line}\n`),
    progress: (line) => process.stderr.write(`${line}\n`),
  }
  const program = new Command('rosh')
    .description('Keeps orders in step between Odoo and marketplaces, and says what happened to each.')
    .exitOverride()
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 bad input or configuration, 3 the hub does not run.')
  for (const register of COMMANDS) register(program, context)
  // Before any command does anything; whoever only asks for help needs no secrets.
  program.hook('preAction', async () => {
    context.env = await withManagedSecrets(context.env)
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return Number(process.exitCode ?? EXIT.ok)
  } catch (error) {
    return exitCodeOf(error, argv.includes('--json'))
  }
}

function exitCodeOf(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.badInput
  const known = error instanceof CliError || error instanceof ConfigError
  const code = error instanceof CliError ? error.code : error instanceof ConfigError ? 'bad-configuration' : 'failed'
  const message = error instanceof Error ? error.message : String(error)
  if (json) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`)
  process.stderr.write(known || !(error instanceof Error) ? `${message}\n` : `${error.stack ?? message}\n`)
  return error instanceof CliError ? error.exitCode : error instanceof ConfigError ? EXIT.badInput : EXIT.failed
}

// `rosh trace ... | head` closes the pipe early; that is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  throw error
})
const envFile = join(packageRoot, '.env')
// What the environment already holds wins over the file.
if (existsSync(envFile)) process.loadEnvFile(envFile)
process.exitCode = await main(process.argv.slice(2))
