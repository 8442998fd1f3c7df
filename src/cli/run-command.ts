import { Command, CommanderError } from 'commander'
import { SetupError } from '../core/setup-error.ts'
import { databaseProblem } from '../drivers/postgres/database-problem.ts'
import { type CliContext, CliError, errorJson, EXIT, type Register } from './context.ts'
import { printable } from './printable.ts'

/**
 * Where each command is, in the order of the help. Only the one that was typed is loaded: an agent's or a script's `rosh status` must not pay for reading the
 * MCP server, the drivers and the simulators' seed.
 */
const COMMANDS: Record<string, () => Promise<Register>> = {
  up: async () => (await import('./up.ts')).registerUp,
  down: async () => (await import('./down.ts')).registerDown,
  status: async () => (await import('./status.ts')).registerStatus,
  trace: async () => (await import('./trace.ts')).registerTrace,
  diagnose: async () => (await import('./diagnose.ts')).registerDiagnose,
  dlq: async () => (await import('./dlq.ts')).registerDlq,
  retry: async () => (await import('./retry.ts')).registerRetry,
  mcp: async () => (await import('./mcp.ts')).registerMcp,
  auth: async () => (await import('./auth.ts')).registerAuth,
  tokens: async () => (await import('./tokens.ts')).registerTokens,
  audit: async () => (await import('./audit.ts')).registerAudit,
  'rotate-keys': async () => (await import('./rotate-keys.ts')).registerRotateKeys,
  'personal-data': async () => (await import('./personal-data.ts')).registerPersonalData,
  retention: async () => (await import('./retention.ts')).registerRetention,
  doctor: async () => (await import('./doctor.ts')).registerDoctor,
  migrate: async () => (await import('./migrate.ts')).registerMigrate,
  seed: async () => (await import('./seed.ts')).registerSeed,
  traffic: async () => (await import('./traffic.ts')).registerTraffic,
  chaos: async () => (await import('./chaos.ts')).registerChaos,
  subscriber: services,
  worker: services,
  reconciler: services,
  receiver: services,
  'odoo-sim': services,
  'meli-sim': services,
  'paris-mock': services,
}

async function services(): Promise<Register> {
  return (await import('./services.ts')).registerServices
}

const EXIT_CODES = `
Exit codes:
  0  done, or answered
  1  failed, refused, nothing changed, or what was looked at is not as it should be
  2  bad input (an unknown or ambiguous id too), configuration or set-up
  3  the hub does not run
With --json the object holds "error" with "code" and "message" whenever the exit code is not 0.`

/** Runs one command as it was typed, and answers its exit code. Throws nothing: whatever goes wrong is told by the context. */
export async function runCommand(argv: readonly string[], given: CliContext): Promise<number> {
  const context: CliContext = {
    ...given,
    print: (line) => given.print(printable(line)),
    progress: (line) => given.progress(printable(line)),
  }
  const program = new Command('rosh')
    .description('Keeps orders in step between Odoo and marketplaces, and says what happened to each.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => context.print(text.trimEnd()), writeErr: (text) => context.progress(text.trimEnd()) })
    .addHelpText('afterAll', EXIT_CODES)
  for (const register of await commandsFor(argv[0])) register(program, context)
  // Before any command does anything; whoever only asks for help needs no secrets.
  program.hook('preAction', async () => {
    if (context.env.USE_SECRET_MANAGER === undefined) return
    const { withManagedSecrets } = await import('../managed-secrets.ts')
    context.env = await withManagedSecrets(context.env)
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return Number(process.exitCode ?? EXIT.ok)
  } catch (error) {
    return exitCodeOf(error, context, argv.includes('--json'))
  }
}

/** The one that was typed; all of them for the help, or for what is no command. */
async function commandsFor(typed: string | undefined): Promise<Register[]> {
  const one = typed === undefined || !Object.hasOwn(COMMANDS, typed) ? undefined : COMMANDS[typed]
  if (one) return [await one()]
  return Promise.all([...new Set(Object.values(COMMANDS))].map((load) => load()))
}

function exitCodeOf(error: unknown, context: CliContext, json: boolean): number {
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
  const known = mendable(error)
  const failure = known ?? new CliError('failed', error instanceof Error ? error.message : String(error))
  if (json) context.print(JSON.stringify({ error: errorJson(failure) }))
  // Commander said it already.
  if (!(error instanceof CommanderError))
    context.progress(known || !(error instanceof Error) ? failure.message : (error.stack ?? failure.message))
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
