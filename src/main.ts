import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { type CliContext, CliError, errorJson, EXIT, type Register } from './cli/context.ts'
import { SetupError } from './core/setup-error.ts'
import { databaseProblem } from './drivers/postgres/database-problem.ts'
import { packageRoot } from './home.ts'

/**
 * Where each command is, in the order of the help. Only the one that was typed is loaded: an agent's or a script's `rosh status` must not pay for reading the
 * MCP server, the drivers and the simulators' seed.
 */
const COMMANDS: Record<string, () => Promise<Register>> = {
  up: async () => (await import('./cli/up.ts')).registerUp,
  down: async () => (await import('./cli/down.ts')).registerDown,
  status: async () => (await import('./cli/status.ts')).registerStatus,
  trace: async () => (await import('./cli/trace.ts')).registerTrace,
  diagnose: async () => (await import('./cli/diagnose.ts')).registerDiagnose,
  dlq: async () => (await import('./cli/dlq.ts')).registerDlq,
  retry: async () => (await import('./cli/retry.ts')).registerRetry,
  mcp: async () => (await import('./cli/mcp.ts')).registerMcp,
  auth: async () => (await import('./cli/auth.ts')).registerAuth,
  tokens: async () => (await import('./cli/tokens.ts')).registerTokens,
  audit: async () => (await import('./cli/audit.ts')).registerAudit,
  'rotate-keys': async () => (await import('./cli/rotate-keys.ts')).registerRotateKeys,
  'personal-data': async () => (await import('./cli/personal-data.ts')).registerPersonalData,
  doctor: async () => (await import('./cli/doctor.ts')).registerDoctor,
  migrate: async () => (await import('./cli/migrate.ts')).registerMigrate,
  seed: async () => (await import('./cli/seed.ts')).registerSeed,
  traffic: async () => (await import('./cli/traffic.ts')).registerTraffic,
  chaos: async () => (await import('./cli/chaos.ts')).registerChaos,
  subscriber: services,
  worker: services,
  reconciler: services,
  receiver: services,
  'odoo-sim': services,
  'meli-sim': services,
  'paris-mock': services,
}

async function services(): Promise<Register> {
  return (await import('./cli/services.ts')).registerServices
}

const EXIT_CODES = `
Exit codes:
  0  done, or answered
  1  failed, refused, nothing changed, or what was looked at is not as it should be
  2  bad input (an unknown or ambiguous id too), configuration or set-up
  3  the hub does not run
With --json the object holds "error" with "code" and "message" whenever the exit code is not 0.`

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
    columns: process.stdout.isTTY ? process.stdout.columns : undefined,
  }
  const program = new Command('rosh')
    .description('Keeps orders in step between Odoo and marketplaces, and says what happened to each.')
    .exitOverride()
    .addHelpText('afterAll', EXIT_CODES)
  for (const register of await commandsFor(argv[0])) register(program, context)
  // Before any command does anything; whoever only asks for help needs no secrets.
  program.hook('preAction', async () => {
    if (context.env.USE_SECRET_MANAGER === undefined) return
    const { withManagedSecrets } = await import('./managed-secrets.ts')
    context.env = await withManagedSecrets(context.env)
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return Number(process.exitCode ?? EXIT.ok)
  } catch (error) {
    return exitCodeOf(error, argv.includes('--json'))
  }
}

/** The one that was typed; all of them for the help, or for what is no command. */
async function commandsFor(typed: string | undefined): Promise<Register[]> {
  const one = typed === undefined || !Object.hasOwn(COMMANDS, typed) ? undefined : COMMANDS[typed]
  if (one) return [await one()]
  return Promise.all([...new Set(Object.values(COMMANDS))].map((load) => load()))
}

function exitCodeOf(error: unknown, json: boolean): number {
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
  const known = mendable(error)
  const failure = known ?? new CliError('failed', error instanceof Error ? error.message : String(error))
  if (json) process.stdout.write(`${JSON.stringify({ error: errorJson(failure) })}\n`)
  // Commander said it already.
  if (!(error instanceof CommanderError))
    process.stderr.write(`${known || !(error instanceof Error) ? failure.message : (error.stack ?? failure.message)}\n`)
  return failure.exitCode
}

/** What a person can mend, as one line; undefined for a bug, whose stack is what tells. */
function mendable(error: unknown): CliError | undefined {
  if (error instanceof CliError) return error
  if (error instanceof CommanderError) return new CliError('bad-input', error.message.replace(/^error: /, ''))
  // By its name: the class would bring the whole configuration along.
  if (error instanceof Error && error.name === 'ConfigError') return new CliError('bad-configuration', error.message)
  if (error instanceof SetupError) return new CliError('bad-setup', error.message)
  const problem = databaseProblem(error)
  return problem === undefined ? undefined : new CliError('database', problem)
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
