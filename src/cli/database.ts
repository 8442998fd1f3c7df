import { join } from 'node:path'
import type { Config } from '../config.ts'
import { grantRoles } from '../drivers/postgres/cluster-logins.ts'
import { attachEmbedded, startEmbedded } from '../drivers/postgres/embedded.ts'
import { migrate, MigrationError, pendingMigrations } from '../drivers/postgres/migrate.ts'
import { isDenied } from '../drivers/postgres/sqlstate.ts'
import { packageRoot } from '../home.ts'
import { type CliContext, CliError } from './context.ts'

export interface Database {
  /** Login that the apps use, member of the roles. */
  url: string
  embedded: boolean
}

const folder = join(packageRoot, 'migrations')

/** Starts what is embedded, migrates, and answers the hub's login. For `up`, the services, `migrate` and `seed`. */
export async function startDatabase(config: Config, context: CliContext): Promise<Database & { applied: string[] }> {
  if (config.databaseUrl) {
    const url = config.databaseUrl.reveal()
    const applied = await migrateFor(url, config.migratorUrl?.reveal() ?? url, context)
    return { url, embedded: false, applied }
  }
  const instance = await startEmbedded({ home: config.home, log: context.progress })
  const applied = await migrate({ url: instance.migratorUrl, folder, log: context.progress })
  return { url: instance.databaseUrl, embedded: true, applied }
}

// A login that owns nothing starts a hub whose schema is up to date; only what is missing needs the owner's.
async function migrateFor(url: string, migratorUrl: string, context: CliContext): Promise<string[]> {
  const pending = await pendingMigrations({ url, folder })
  if (pending.length === 0 && migratorUrl === url) return []
  const applied = await migrate({ url: migratorUrl, folder, log: context.progress }).catch((error: unknown) => {
    if (migratorUrl !== url || !isDenied(error instanceof MigrationError ? error.cause : error)) throw error
    throw new CliError(
      'not-migrated',
      `the login of the database may not apply ${pending.join(', ')}: run \`rosh migrate\` with MIGRATOR_DATABASE_URL, the login that owns the database`,
    )
  })
  await grantRoles(migratorUrl === url ? { url } : { url: migratorUrl, login: decodeURIComponent(new URL(url).username) })
  return applied
}

/** Attaches to a running database; never starts one. For everything that only asks or repairs. */
export async function attachDatabase(config: Config): Promise<Database> {
  if (config.databaseUrl) return { url: config.databaseUrl.reveal(), embedded: false }
  const instance = await attachEmbedded({ home: config.home })
  if ('kind' in instance)
    throw new CliError(
      'hub-not-running',
      `hub-not-running: no PostgreSQL runs in ${config.home}; start the hub with \`npm start\` or \`rosh up\``,
    )
  return { url: instance.databaseUrl, embedded: true }
}
