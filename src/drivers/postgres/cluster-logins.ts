import pg from 'pg'

/** Database, and the two logins that the hub uses on a server of its own. */
export const hubDatabase = 'rosh'
export const ownerLogin = 'rosh_migrator'
export const hubLogin = 'rosh_login'

export type LoginPasswords = { ownerPassword: string; hubPassword: string }

/**
 * Creates what the hub needs on an empty server, or confirms it: `rosh_migrator` (owns the databases, may create roles),
 * `rosh_login` (no superuser, owns nothing; the migrations make it a member of the roles) and the database `rosh`.
 */
export async function ensureLogins(superuserUrl: string, passwords: LoginPasswords): Promise<void> {
  const client = new pg.Client({ connectionString: superuserUrl })
  client.on('error', () => {})
  await client.connect()
  try {
    await ensureRole(client, ownerLogin, 'login createrole nosuperuser', passwords.ownerPassword)
    await ensureRole(client, hubLogin, 'login nocreaterole nocreatedb nosuperuser', passwords.hubPassword)
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [hubDatabase])
    if (rowCount === 0) await client.query(`create database ${hubDatabase} owner ${ownerLogin}`)
    await client.query(`revoke connect, temporary on database ${hubDatabase} from public`)
    await client.query(`grant connect on database ${hubDatabase} to ${hubLogin}`)
  } finally {
    await client.end()
  }
}

async function ensureRole(client: pg.Client, name: string, rights: string, password: string): Promise<void> {
  const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [name])
  const verb = rowCount === 0 ? 'create' : 'alter'
  await client.query(`${verb} role ${name} ${rights} password ${client.escapeLiteral(password)}`)
}
