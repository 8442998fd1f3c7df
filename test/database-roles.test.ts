import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, type Pool, type Role, ROLES } from '../src/drivers/postgres/pool.ts'
import { cloneDatabase, type TestDatabase } from './support/database.ts'

let database: TestDatabase
let owner: Pool

beforeAll(async () => {
  database = await cloneDatabase()
  owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'roles-test-owner' })
})

afterAll(async () => {
  await owner.end()
  await database.drop()
})

const nobodyMay = [
  'CREATE TABLE mine (id integer)',
  'CREATE FUNCTION hub_now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT now() $$',
  'CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$',
  'ALTER TABLE audit DISABLE TRIGGER audit_chain',
  'DROP TRIGGER audit_no_change ON audit',
  'DROP TABLE delivery',
  'TRUNCATE inbound_event',
  'DELETE FROM inbound_event',
  'DELETE FROM delivery',
  'DELETE FROM binding',
  'UPDATE audit SET actor = $$x$$',
  'UPDATE audit_head SET seq = 0',
  "UPDATE hub_clock SET shift = '1 hour'",
  'UPDATE inbound_request SET verdict = $$accepted$$',
  'UPDATE order_event SET payload = $${}$$',
  'DELETE FROM schema_migration',
  'SET ROLE rosh_migrator',
  'CREATE ROLE mallory LOGIN SUPERUSER',
  "SELECT pg_read_file('/etc/passwd')",
]

const mayNot: Record<Role, string[]> = {
  rosh_ingest: [
    'UPDATE inbound_event SET state = $$applied$$',
    'SELECT * FROM credential',
    'SELECT * FROM data_key',
    'SELECT * FROM oauth_authorization',
    'SELECT * FROM silver_order',
    'UPDATE channel SET paused_at = NULL',
    'INSERT INTO channel (id, marketplace, account_id) VALUES ($$x$$, $$paris$$, $$x$$)',
    'SELECT * FROM delivery',
    'UPDATE delivery SET state = $$pending$$',
    'INSERT INTO audit (actor, body) VALUES ($$x$$, $${}$$)',
    'INSERT INTO api_token (prefix, sha256, principal, scopes) VALUES ($$x$$, $$x$$, $$x$$, $${}$$)',
    'UPDATE api_token SET scopes = $${dlq.admin}$$',
  ],
  rosh_worker: [
    'INSERT INTO audit (actor, body) VALUES ($$x$$, $${}$$)',
    'INSERT INTO api_token (prefix, sha256, principal, scopes) VALUES ($$x$$, $$x$$, $$x$$, $${}$$)',
    'UPDATE api_token SET scopes = $${dlq.admin}$$',
    'INSERT INTO plan_token_used (token_id) VALUES ($$x$$)',
    'UPDATE desired SET content = $${}$$',
    'SELECT * FROM audit',
  ],
  rosh_operator: [
    'SELECT * FROM credential',
    'SELECT * FROM oauth_authorization',
    'UPDATE oauth_authorization SET taken_at = NULL',
    'SELECT * FROM data_key',
    'UPDATE credential SET version = 1',
    'INSERT INTO inbound_event (event_id) VALUES (gen_random_uuid())',
    'UPDATE inbound_event SET resource = $$x$$',
    'UPDATE inbound_event SET dedupe_key = $$x$$',
    'UPDATE silver_order SET payment = $$paid$$',
    'UPDATE observation SET body = $${}$$',
    'UPDATE operation_effect SET effect = $${}$$',
    'DELETE FROM operation_effect',
    'DELETE FROM open_intent',
    'INSERT INTO open_intent (operation_id, seq) VALUES ($$x$$, 1)',
    'UPDATE attempt SET outcome = $$ok$$',
    'INSERT INTO inbound_request (path) VALUES ($$x$$)',
    'UPDATE delivery SET desired_id = 1',
    'UPDATE binding SET external_id = $$x$$',
    'INSERT INTO delivery (channel) VALUES ($$x$$)',
    'INSERT INTO binding (channel) VALUES ($$x$$)',
    'INSERT INTO desired (content) VALUES ($${}$$)',
    'UPDATE channel SET paused_at = NULL',
    'UPDATE api_token SET scopes = $${dlq.admin}$$',
  ],
  rosh_reader: [
    'SELECT * FROM credential',
    'SELECT * FROM oauth_authorization',
    'SELECT * FROM data_key',
    'SELECT body FROM inbound_request',
    'INSERT INTO audit (actor, body) VALUES ($$x$$, $${}$$)',
    'INSERT INTO api_token (prefix, sha256, principal, scopes) VALUES ($$x$$, $$x$$, $$x$$, $${}$$)',
    'UPDATE delivery SET state = $$pending$$',
    'UPDATE inbound_event SET state = $$pending$$',
    'UPDATE channel SET paused_at = NULL',
    'UPDATE silver_order SET payment = $$paid$$',
    'INSERT INTO worker_heartbeat (id, app) VALUES ($$x$$, $$x$$)',
    "SELECT nextval('lease_number')",
  ],
  rosh_auditor: [
    'SELECT * FROM credential',
    'SELECT * FROM data_key',
    'SELECT * FROM silver_order',
    'SELECT * FROM inbound_request',
    'SELECT * FROM delivery',
    'SELECT * FROM api_token',
    'INSERT INTO audit (actor, body) VALUES ($$x$$, $${}$$)',
    'UPDATE delivery SET state = $$pending$$',
  ],
}

describe.each(ROLES)('%s', (role) => {
  let pool: Pool

  beforeAll(() => {
    pool = connect({ url: database.url, role, max: 1, applicationName: 'roles-test' })
  })

  afterAll(() => pool.end())

  test.each([...nobodyMay, ...mayNot[role]])('is denied: %s', async (sql) => {
    await expect(pool.query(sql)).rejects.toMatchObject({ code: '42501' })
  })
})

test('no role may delete or truncate anything, and none owns anything', async () => {
  const { rows } = await owner.query(
    `SELECT r.rolname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
     CROSS JOIN pg_roles r WHERE r.rolname = ANY($1) AND c.relkind IN ('r', 'v', 'p')
       AND (has_table_privilege(r.oid, c.oid, 'DELETE') OR has_table_privilege(r.oid, c.oid, 'TRUNCATE') OR has_table_privilege(r.oid, c.oid, 'TRIGGER')
            OR c.relowner = r.oid)`,
    [ROLES],
  )
  expect(rows).toEqual([])
})

test('only the worker reads credentials and data keys', async () => {
  const { rows } = await owner.query(
    `SELECT r.rolname, c.relname FROM pg_class c CROSS JOIN pg_roles r
     WHERE c.relname IN ('credential', 'data_key') AND c.relkind = 'r' AND r.rolname = ANY($1) AND has_any_column_privilege(r.oid, c.oid, 'SELECT')
     ORDER BY c.relname`,
    [ROLES],
  )
  expect(rows).toEqual([
    { rolname: 'rosh_worker', relname: 'credential' },
    { rolname: 'rosh_worker', relname: 'data_key' },
  ])
})
