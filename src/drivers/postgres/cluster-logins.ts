import pg from 'pg'
import { SetupError } from '../../core/setup-error.ts'
import { isDenied } from './sqlstate.ts'

/** Database, and the two logins that the hub uses on a server of its own. */
export const hubDatabase = 'rosh'
export const ownerLogin = 'rosh_migrator'
export const hubLogin = 'rosh_login'

/** One role per job, as the first migration makes them; each pool takes one with `SET ROLE`. */
const hubRoles = ['rosh_ingest', 'rosh_worker', 'rosh_operator', 'rosh_reader', 'rosh_auditor'] as const

export type LoginPasswords = { ownerPassword: string; hubPassword: string }

/**
 * Creates the logins on a server, or confirms them: `rosh_migrator` (owns the databases, may create roles) and `rosh_login`
 * (no superuser, owns nothing, member of the roles). Needs a superuser's URL.
 */
export async function ensureLogins(superuserUrl: string, passwords: LoginPasswords): Promise<void> {
  await withClient(superuserUrl, async (client) => {
    for (const login of [ownerLogin, hubLogin]) await runQuoted(client, createRole, [login])
    await runQuoted(client, alterLogin, [ownerLogin, 'createrole', passwords.ownerPassword])
    await runQuoted(client, alterLogin, [hubLogin, 'nocreaterole', passwords.hubPassword])
    // As the login that runs the migrations: from PostgreSQL 16 on only a role's creator may grant it further.
    await client.query(`set role ${ownerLogin}`)
    for (const role of hubRoles) await runQuoted(client, createRole, [role])
    await client.query('reset role')
    await runQuoted(client, grantToLogin, [hubRoles, hubLogin])
  })
}

/** Creates a database owned by `rosh_migrator`, or confirms it. Needs a superuser's URL. */
export async function ensureDatabase(superuserUrl: string, name: string): Promise<void> {
  const create = `select format('create database %I owner %I', $1::text, $2::text) as ddl where not exists (select from pg_database where datname = $1)`
  await withClient(superuserUrl, (client) => runQuoted(client, create, [name, ownerLogin]))
}

/**
 * On a server that is not ours: makes the login of `url` (which ran the migrations), or `login`, a member of the roles, so that its
 * pools can `SET ROLE`. From PostgreSQL 16 on the creator of a role may not do so by itself. Throws a text that names the
 * statement an administrator must run.
 */
export async function grantRoles({ url, login }: { url: string; login?: string }): Promise<void> {
  await withClient(url, (client) => runQuoted(client, grantToLogin, [hubRoles, login ?? null])).catch((error: Error) => {
    if (!isDenied(error)) throw error
    const who = login ?? 'the login of the database URL'
    throw new SetupError(`the database login may not grant the hub's roles: let an administrator grant ${hubRoles.join(', ')} to ${who}`, {
      cause: error,
    })
  })
}

const createRole = `select format('create role %I', $1::text) as ddl where to_regrole($1) is null`

const alterLogin = `select format('alter role %I login nosuperuser nocreatedb ' || $2 || ' password %L', $1::text, $3::text) as ddl`

const grantToLogin = `select format('grant %s to %I', string_agg(quote_ident(role), ', '), coalesce($2::text, session_user::text)) as ddl
  from unnest($1::text[]) as role
  where not pg_has_role(coalesce($2::text, session_user::text), role, 'MEMBER')
  having count(*) > 0`

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

// DDL takes no parameters: `question` lets PostgreSQL quote the statement, which then runs; no row means nothing to do.
async function runQuoted(client: pg.Client, question: string, values: unknown[]): Promise<void> {
  const { rows } = await client.query<{ ddl: string }>(question, values)
  for (const { ddl } of rows) await client.query(ddl)
}
