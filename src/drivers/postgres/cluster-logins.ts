import pg from 'pg'

/** Database, and the two logins that the hub uses on a server of its own. */
export const hubDatabase = 'rosh'
export const ownerLogin = 'rosh_migrator'
export const hubLogin = 'rosh_login'

/** One role per job, as the first migration makes them; each pool takes one with `SET ROLE`. */
export const hubRoles = ['rosh_ingest', 'rosh_worker', 'rosh_operator', 'rosh_reader', 'rosh_auditor'] as const

export type LoginPasswords = { ownerPassword: string; hubPassword: string }

/**
 * Creates the logins on a server, or confirms them: `rosh_migrator` (owns the databases, may create roles) and `rosh_login`
 * (no superuser, owns nothing, member of the roles). Needs a superuser's URL.
 */
export async function ensureLogins(superuserUrl: string, passwords: LoginPasswords): Promise<void> {
  await withClient(superuserUrl, async (client) => {
    await ensureRole(client, ownerLogin, 'login createrole nosuperuser', passwords.ownerPassword)
    await ensureRole(client, hubLogin, 'login nocreaterole nocreatedb nosuperuser', passwords.hubPassword)
    for (const role of hubRoles) await ensureRole(client, role, 'nologin')
    await client.query(`grant ${hubRoles.join(', ')} to ${hubLogin}`)
  })
}

/** Creates a database owned by `rosh_migrator`, or confirms it. Needs a superuser's URL. */
export async function ensureDatabase(superuserUrl: string, name: string): Promise<void> {
  await withClient(superuserUrl, async (client) => {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name])
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)} owner ${ownerLogin}`)
  })
}

/**
 * On a server that is not ours: makes the login of `url` (which ran the migrations), or `login`, a member of the roles, so that its
 * pools can `SET ROLE`. From PostgreSQL 16 on the creator of a role may not do so by itself. Throws a text that names the
 * statement an administrator must run.
 */
export async function grantRoles({ url, login }: { url: string; login?: string }): Promise<void> {
  await withClient(url, async (client) => {
    const { rows } = await client.query<{ name: string }>('select coalesce($1, session_user::text) as name', [login ?? null])
    const statement = `grant ${hubRoles.join(', ')} to ${client.escapeIdentifier(rows[0]?.name ?? '')}`
    try {
      await client.query(statement)
    } catch (error) {
      throw new Error(`the database login may not grant the hub's roles: let an administrator run "${statement}"`, { cause: error })
    }
  })
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  client.on('error', () => {}) // the query that was running rejects with it
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}

async function ensureRole(client: pg.Client, name: string, rights: string, password?: string): Promise<void> {
  const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [name])
  const verb = rowCount === 0 ? 'create' : 'alter'
  const secret = password === undefined ? '' : ` password ${client.escapeLiteral(password)}`
  await client.query(`${verb} role ${name} ${rights}${secret}`)
}
