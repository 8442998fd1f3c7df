import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { PersonalText } from '../../core/logged-text.ts'
import type { AuditIntent, Principal } from '../../ports/audit.ts'
import { postgresAudit } from './audit.ts'
import { connect, type Pool, ROLES } from './pool.ts'

let database: TestDatabase
let pool: Pool
let owner: Pool

beforeAll(async () => {
  database = await cloneDatabase()
  pool = connect({ url: database.url, role: 'rosh_operator', max: 8, applicationName: 'audit-test' })
  owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'audit-test-owner' })
})

afterAll(async () => {
  await Promise.all([pool.end(), owner.end()])
  await database.drop()
})

const principal: Principal = { id: 'p-1', scopes: new Set(['dlq.replay']), via: 'mcp-stdio' }
const anIntent = (over: Partial<AuditIntent> = {}): AuditIntent => ({
  principal,
  tool: 'replay_dlq_message',
  scopeUsed: 'dlq.replay',
  params: { outbox_id: '7' },
  ...over,
})

interface ChainRow {
  seq: string
  at_text: string
  actor: string
  body: string
  prev: Buffer
  hash: Buffer
}

async function chain(): Promise<ChainRow[]> {
  const { rows } = await owner.query<ChainRow>(
    `SELECT seq, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at_text, actor, body, prev, hash FROM audit ORDER BY seq`,
  )
  return rows
}

/** What an offline verifier does: rebuilds every hash from the stored values. */
function brokenLinks(rows: ChainRow[]): string[] {
  let prev: Buffer = createHash('sha256').update('').digest()
  return rows.flatMap((row, at) => {
    const own = createHash('sha256').update(row.prev).update(`${row.seq}\n${row.at_text}\n${row.actor}\n${row.body}`, 'utf8').digest()
    const whole = row.seq === String(at + 1) && row.prev.equals(prev) && row.hash.equals(own)
    prev = row.hash
    return whole ? [] : [row.seq]
  })
}

test('an intent is committed before the effect and its outcome shows beside it', async () => {
  const audit = postgresAudit(pool)
  const operationId = await audit.intend(
    anIntent({ target: { kind: 'delivery', id: '7', expectedVersion: '3' }, reason: 'the SKU is mapped now' }),
  )
  const view = async () =>
    (await owner.query('SELECT user_id, tool_name, params_json, scope_used, result_status, latency_ms FROM mcp_audit_log')).rows
  expect(await view()).toEqual([
    {
      user_id: 'p-1',
      tool_name: 'replay_dlq_message',
      params_json: { outbox_id: '7' },
      scope_used: 'dlq.replay',
      result_status: 'unknown',
      latency_ms: null,
    },
  ])
  await audit.complete(operationId, { result: 'ok', latencyMs: 12, effect: { replayed: ['7'] } })
  expect(await view()).toMatchObject([{ result_status: 'ok', latency_ms: '12' }])
  const [intent, outcome] = await chain()
  expect(JSON.parse(intent!.body)).toEqual({
    phase: 'intent',
    operation_id: operationId,
    via: 'mcp-stdio',
    tool: 'replay_dlq_message',
    scope_used: 'dlq.replay',
    params: { outbox_id: '7' },
    target: { kind: 'delivery', id: '7', expected_version: '3' },
    reason: 'the SKU is mapped now',
  })
  expect(JSON.parse(outcome!.body)).toEqual({
    phase: 'outcome',
    operation_id: operationId,
    result: 'ok',
    latency_ms: 12,
    effect: { replayed: ['7'] },
  })
})

test('an intent has one outcome: the database refuses a second one, and whoever comes late is told so', async () => {
  const audit = postgresAudit(pool)
  const operationId = await audit.intend(anIntent())
  const told = await Promise.all(['ok', 'error'].map((result) => audit.complete(operationId, { result: result as 'ok', latencyMs: 1 })))
  expect(told.toSorted()).toEqual([false, true])
  const outcomes = (await chain()).filter(({ body }) => body.includes(operationId) && body.includes('"phase":"outcome"'))
  expect(outcomes).toHaveLength(1)
  expect(brokenLinks(await chain())).toEqual([])
})

test('of a text that may be of a person, a digest is kept', async () => {
  const text = { params: { order_id: new PersonalText('CAMILA ROJAS') } }
  const keys = [Buffer.from('one key'), Buffer.from('one key'), Buffer.from('another')]
  for (const key of keys) await postgresAudit(pool, key).record(anIntent(text), { result: 'ok', latencyMs: 1 })
  const { rows } = await owner.query<{ body: string }>('SELECT body FROM audit ORDER BY seq DESC LIMIT 3')
  const [another, again, first] = rows.map(({ body }) => (JSON.parse(body) as { params: { order_id: string } }).params.order_id)
  expect(first).toMatch(/^hmac:[0-9a-f]{16}$/)
  expect(again).toBe(first)
  expect(another).not.toBe(first)
  expect(JSON.stringify(rows)).not.toContain('CAMILA')
})

test('a reason is kept as it was written, without the contacts of a person', async () => {
  await postgresAudit(pool).record(anIntent({ reason: 'the SKU is mapped now; she asked again: +56 9 8765 4321, camila@example.cl' }), {
    result: 'ok',
    latencyMs: 1,
  })
  expect(JSON.parse((await chain()).at(-1)!.body)).toMatchObject({
    reason: 'the SKU is mapped now; she asked again: [personal], [personal]',
  })
})

test('a hostile parameter is recorded, not a reason to leave the call out', async () => {
  await postgresAudit(pool).record(anIntent({ params: { query: 'a\u0000b\ud800', 'k\u0000': [null, 'ñ'] } }), {
    result: 'denied',
    errorCode: 'scope',
    latencyMs: 1,
  })
  expect(JSON.parse((await chain()).at(-1)!.body)).toMatchObject({
    phase: 'single',
    result: 'denied',
    error_code: 'scope',
    params: { query: 'a\ufffdb\ufffd', 'k\ufffd': [null, 'ñ'] },
  })
})

test('the chain has no gap and no broken link after eight writers at once', async () => {
  const before = (await chain()).length
  const writers = Array.from({ length: 8 }, () => postgresAudit(pool))
  await Promise.all(
    writers.flatMap((audit, w) =>
      Array.from({ length: 40 }, (_, i) => audit.record(anIntent({ params: { w, i } }), { result: 'ok', latencyMs: 0 })),
    ),
  )
  const rows = await chain()
  expect(rows).toHaveLength(before + 320)
  expect(brokenLinks(rows)).toEqual([])
  const head = await owner.query<{ seq: string; hash: Buffer }>('SELECT seq, hash FROM audit_head')
  expect(head.rows[0]?.hash.equals(rows.at(-1)!.hash)).toBe(true)
})

test('a changed byte, a removed row and a swapped pair break the chain', async () => {
  const rows = await chain()
  const tampered = rows.map((row, at) => (at === 1 ? { ...row, body: row.body.replace('ok', 'no') } : row))
  expect(brokenLinks(tampered)).toEqual(['2'])
  expect(brokenLinks(rows.toSpliced(2, 1))).not.toEqual([])
  expect(brokenLinks([rows[1]!, rows[0]!, ...rows.slice(2)])).not.toEqual([])
})

test('nobody chooses number, time, hash or phase', async () => {
  await owner.query(
    `INSERT INTO audit (seq, at, actor, body, prev, hash, operation_id, phase)
     VALUES (999999, '2000-01-01', 'mallory', '{"phase":"single","operation_id":"x"}', ''::bytea, ''::bytea, 'forged', 'outcome')`,
  )
  const rows = await chain()
  expect(brokenLinks(rows)).toEqual([])
  expect(rows.at(-1)).toMatchObject({ seq: String(rows.length) })
})

test.each(['UPDATE audit SET actor = $$x$$', 'DELETE FROM audit', 'TRUNCATE audit', 'UPDATE audit_head SET seq = 0'])(
  'no role can run %s',
  async (sql) => {
    for (const role of ROLES) {
      const one = connect({ url: database.url, role, max: 1, applicationName: 'audit-test-role' })
      await expect(one.query(sql)).rejects.toMatchObject({ code: '42501' })
      await one.end()
    }
  },
)

test.each(['UPDATE audit SET actor = $$x$$', 'DELETE FROM audit', 'TRUNCATE audit'])(
  'the triggers stop even the owner from %s',
  async (sql) => {
    await expect(owner.query(sql)).rejects.toThrow('append-only')
  },
)

test('when the audit table is locked nothing is written and the error reaches the caller', async () => {
  const before = (await chain()).length
  const lock = await owner.connect()
  await lock.query('BEGIN; LOCK TABLE audit')
  const impatient = connect({ url: database.url, role: 'rosh_operator', max: 1, applicationName: 'audit-test-locked' })
  await impatient.query(`SET lock_timeout = '50ms'`)
  await expect(postgresAudit(impatient).intend(anIntent())).rejects.toMatchObject({ code: '55P03' })
  await lock.query('ROLLBACK')
  lock.release()
  await impatient.end()
  expect(await chain()).toHaveLength(before)
})

test('a role without the insert grant cannot write to the chain', async () => {
  const reader = connect({ url: database.url, role: 'rosh_reader', max: 1, applicationName: 'audit-test-reader' })
  await expect(postgresAudit(reader).intend(anIntent())).rejects.toMatchObject({ code: '42501' })
  await reader.end()
})
