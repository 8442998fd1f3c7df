import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate } from '../../src/drivers/postgres/migrate.ts'
import { connect, type Pool, type Role, ROLES } from '../../src/drivers/postgres/pool.ts'
import { packageRoot } from '../../src/home.ts'
import { cloneDatabase, emptyDatabase, type TestDatabase } from '../support/database.ts'

// `test/database-roles.test.ts` tries statements; this compares every grant with what each role is for.

let database: TestDatabase
let owner: Pool
beforeAll(async () => {
  database = await cloneDatabase()
  owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'r23' })
})
afterAll(async () => {
  await owner.end()
  await database.drop()
})

const MAY_WRITE: Record<Role, string[]> = {
  rosh_ingest: ['api_token', 'inbound_event', 'inbound_request', 'webhook_key_use', 'worker_heartbeat'],
  rosh_worker: [
    'attempt',
    'binding',
    'channel',
    'credential',
    'cursor',
    'data_key',
    'delivery',
    'desired',
    'drift',
    'erp_quarantine',
    'identifier',
    'inbound_event',
    'inbound_request',
    'oauth_authorization',
    'observation',
    'order_event',
    'plan_settings',
    'resource',
    'silver_order',
    'worker_heartbeat',
  ],
  rosh_operator: [
    'api_token',
    'audit',
    'binding',
    'delivery',
    'inbound_event',
    'operation_effect',
    'order_event',
    'plan_token_used',
    'worker_heartbeat',
  ],
  rosh_reader: [],
  rosh_auditor: [],
}

async function tables(sql: string, role: Role): Promise<string[]> {
  const { rows } = await owner.query<{ name: string }>(sql, [role])
  return rows.map(({ name }) => name)
}

test.each(ROLES)('%s writes to the tables of its job alone', async (role) => {
  const written = await tables(
    `SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
       AND (has_any_column_privilege($1, c.oid, 'INSERT') OR has_any_column_privilege($1, c.oid, 'UPDATE')) ORDER BY 1`,
    role,
  )
  expect(written.filter((name) => !MAY_WRITE[role].includes(name))).toEqual([])
})

const ENDING = [
  'archived_at',
  'cause',
  'due_at',
  'ended_at',
  'lease',
  'lease_until',
  'reason',
  'replays',
  'state',
  'state_version',
  'summary',
  'tries',
]
const COUNTS = ['unfinished', 'unfinished_alone']

/** Where a role writes only some columns of a table: of every column that it may change, what may change. */
const MAY_CHANGE: Partial<Record<Role, Record<string, string[]>>> = {
  rosh_ingest: { api_token: ['last_used_at'], webhook_key_use: ['*'], worker_heartbeat: ['*'] },
  rosh_operator: {
    api_token: ['last_used_at', 'revoked_at'],
    binding: ['compared_at'],
    delivery: [...ENDING, ...COUNTS, 'counted_lease', 'suspect'].sort(),
    inbound_event: [...ENDING, ...COUNTS].sort(),
    worker_heartbeat: ['*'],
  },
}

test.each(ROLES.filter((role) => role in MAY_CHANGE))('%s changes the columns of its job alone', async (role) => {
  const { rows } = await owner.query<{ name: string; columns: string[] }>(
    `SELECT c.relname AS name, CASE WHEN has_table_privilege($1, c.oid, 'UPDATE') THEN ARRAY['*'] ELSE array_agg(a.attname::text ORDER BY a.attname) END AS columns
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND has_column_privilege($1, c.oid, a.attnum, 'UPDATE')
     GROUP BY c.oid, c.relname`,
    [role],
  )
  expect(Object.fromEntries(rows.map(({ name, columns }) => [name, columns]))).toEqual(MAY_CHANGE[role])
})

const MAY_INSERT_AS_OPERATOR = ['api_token', 'audit', 'operation_effect', 'order_event', 'plan_token_used', 'worker_heartbeat']

test('rosh_operator inserts what a repair tells, and plans nothing', async () => {
  const inserted = await tables(
    `SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
       AND has_any_column_privilege($1, c.oid, 'INSERT') ORDER BY 1`,
    'rosh_operator',
  )
  expect(inserted).toEqual(MAY_INSERT_AS_OPERATOR)
})

test.each(ROLES)('%s owns nothing, deletes nothing, truncates nothing and inherits nobody', async (role) => {
  const { rows } = await owner.query(
    `SELECT c.relname FROM pg_class c JOIN pg_roles r ON r.rolname = $1 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'p')
       AND (c.relowner = r.oid OR has_table_privilege(r.oid, c.oid, 'DELETE') OR has_table_privilege(r.oid, c.oid, 'TRUNCATE') OR has_table_privilege(r.oid, c.oid, 'TRIGGER'))`,
    [role],
  )
  expect(rows).toEqual([])
  const { rows: more } = await owner.query(
    `SELECT r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolbypassrls, r.rolcanlogin, (SELECT count(*)::int FROM pg_auth_members m WHERE m.member = r.oid) AS member_of
     FROM pg_roles r WHERE r.rolname = $1`,
    [role],
  )
  expect(more).toEqual([
    { rolsuper: false, rolcreaterole: false, rolcreatedb: false, rolbypassrls: false, rolcanlogin: false, member_of: 0 },
  ])
})

test('secrets and raw bytes are read by the roles that need them alone', async () => {
  const readers = async (column: string, table: string): Promise<string[]> => {
    const { rows } = await owner.query<{ role: string }>(
      `SELECT r AS role FROM unnest($1::text[]) AS r WHERE has_column_privilege(r, $2::regclass, $3, 'SELECT')`,
      [[...ROLES], table, column],
    )
    return rows.map(({ role }) => role).sort()
  }
  expect(await readers('access_token', 'credential')).toEqual(['rosh_worker'])
  expect(await readers('wrapped', 'data_key')).toEqual(['rosh_worker'])
  expect(await readers('body', 'audit')).toEqual(['rosh_auditor', 'rosh_operator', 'rosh_reader'])
  expect(await readers('body', 'inbound_request')).not.toContain('rosh_reader')
})

test('a forbidden statement of each role is denied by the server, not by the program', async () => {
  const forbidden: Record<Role, string> = {
    rosh_ingest: 'SELECT * FROM silver_order',
    rosh_worker: `INSERT INTO audit (actor, body) VALUES ('x', '{}')`,
    rosh_operator: 'SELECT * FROM credential',
    rosh_reader: `UPDATE delivery SET state = 'pending'`,
    rosh_auditor: 'SELECT * FROM silver_order',
  }
  for (const role of ROLES) {
    const pool = connect({ url: database.url, role, max: 1, applicationName: 'r23 role' })
    await expect(pool.query(forbidden[role])).rejects.toMatchObject({ code: '42501' })
    await pool.end()
  }
})

/** What runs with the owner's rights, and who may call it. A trigger's function is called by its table alone. */
const MAY_CALL_AS_OWNER: Record<string, Role[]> = {
  audit_chain: [],
  erase_person: ['rosh_operator'],
  keep_open_intents: [],
  know_database: ['rosh_worker'],
  let_go: ['rosh_operator'],
  refusals_naming: ['rosh_operator', 'rosh_reader'],
}

test('what runs as the owner is called by the roles of its job alone, and by no login of its own', async () => {
  const { rows } = await owner.query<{ name: string; callers: string[] }>(
    `SELECT p.proname AS name, ARRAY(SELECT r FROM unnest($1::text[] || ARRAY['public']) AS r WHERE has_function_privilege(r, p.oid, 'EXECUTE') ORDER BY r) AS callers
     FROM pg_proc p WHERE p.prosecdef AND p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) ORDER BY p.proname`,
    [[...ROLES]],
  )
  expect(Object.fromEntries(rows.map(({ name, callers }) => [name, callers]))).toEqual(MAY_CALL_AS_OWNER)
})

test('no role makes a table of its own, a temporary one included', async () => {
  // Grants on a database are not copied with it, so a clone would say nothing of them.
  const migrated = await emptyDatabase()
  try {
    await migrate({ url: migrated.migratorUrl, folder: join(packageRoot, 'migrations'), log: () => {} })
    for (const role of ROLES) {
      const pool = connect({ url: migrated.url, role, max: 1, applicationName: 'r23 temporary' })
      await expect(pool.query('CREATE TEMP TABLE mine (id integer)')).rejects.toMatchObject({ code: '42501' })
      await pool.end()
    }
  } finally {
    await migrated.drop()
  }
})
