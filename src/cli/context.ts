import { join } from 'node:path'
import type { Command } from 'commander'
import { type Config, ConfigError, loadConfig } from '../config.ts'
import { channelProblems } from '../channel-settings.ts'
import { attachEmbedded, startEmbedded } from '../drivers/postgres/embedded.ts'
import { grantRoles } from '../drivers/postgres/cluster-logins.ts'
import { migrate } from '../drivers/postgres/migrate.ts'
import { homeFolder, packageRoot, readInstance } from '../home.ts'

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
}

/** What a file of `src/cli` offers to `main.ts`. */
export type Register = (program: Command, context: CliContext) => void

/** The configuration with everything checked; demo mode only for `rosh up --demo` and what speaks to a running demo. */
export function configOf(context: CliContext, options: { demo: boolean }): Config {
  const config = loadConfig(context.env, options)
  const problems = channelProblems(config)
  if (problems.length > 0) throw new ConfigError(problems)
  for (const warning of config.warnings) context.progress(`warning: ${warning}`)
  return config
}

const PORT_VARIABLES: Record<string, string> = {
  hub: 'HTTP_PORT',
  'paris-mock': 'PARIS_MOCK_PORT',
  'meli-sim': 'MELI_SIM_PORT',
  'odoo-sim': 'ODOO_SIM_PORT',
}

/** The configuration of the hub that runs in this home: its mode, and the ports it said it has where no variable says otherwise. */
export function runningConfig(context: CliContext): Config {
  const instance = readInstance(homeFolder(context.env))
  const ports = Object.entries(instance?.ports ?? {}).flatMap(([part, port]) => {
    const name = PORT_VARIABLES[part]
    return name === undefined ? [] : [[name, String(port)] as const]
  })
  const given = Object.entries(context.env).filter(([, value]) => value !== undefined && value !== '')
  return configOf({ ...context, env: { ...Object.fromEntries(ports), ...Object.fromEntries(given) } }, { demo: instance?.demo ?? false })
}

export interface Database {
  /** Login that the apps use, member of the roles. */
  url: string
  embedded: boolean
}

/** Starts what is embedded, migrates, and answers the hub's login. For `up`, the services, `migrate` and `seed`. */
export async function startDatabase(config: Config, context: CliContext): Promise<Database & { applied: string[] }> {
  const folder = join(packageRoot, 'migrations')
  if (config.databaseUrl) {
    const url = config.databaseUrl.reveal()
    const applied = await migrate({ url, folder, log: context.progress })
    await grantRoles({ url })
    return { url, embedded: false, applied }
  }
  const instance = await startEmbedded({ home: config.home, log: context.progress })
  const applied = await migrate({ url: instance.migratorUrl, folder, log: context.progress })
  return { url: instance.databaseUrl, embedded: true, applied }
}

/** Attaches to a running database; never starts one. For everything that only asks or repairs. */
export async function attachDatabase(config: Config): Promise<Database> {
  if (config.databaseUrl) return { url: config.databaseUrl.reveal(), embedded: false }
  const instance = await attachEmbedded({ home: config.home })
  if ('kind' in instance)
    throw new CliError(
      'hub-not-running',
      `hub-not-running: no PostgreSQL runs in ${config.home}; start the hub with \`npm start\` or \`rosh up\``,
      EXIT.hubNotRunning,
    )
  return { url: instance.databaseUrl, embedded: true }
}
