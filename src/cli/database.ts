import { join } from 'node:path'
import type { Config } from '../config.ts'
import { grantRoles } from '../drivers/postgres/cluster-logins.ts'
import { attachEmbedded, startEmbedded } from '../drivers/postgres/embedded.ts'
import { migrate } from '../drivers/postgres/migrate.ts'
import { packageRoot } from '../home.ts'
import { type CliContext, CliError, EXIT } from './context.ts'

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
