import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { cloneDatabase, type TestDatabase } from '../../test/support/database.ts'
import { type Rows, rowsOf } from '../../test/support/rows.ts'
import { until } from '../../test/support/running-hub.ts'
import { checkpointKey, verifyChain } from '../drivers/audit-chain.ts'
import { postgresAudit } from '../drivers/postgres/audit.ts'
import { postgresAuditChain } from '../drivers/postgres/audit-reader.ts'
import { postgresDeadLetters } from '../drivers/postgres/dead-letters.ts'
import { postgresOpenIntents } from '../drivers/postgres/open-intents.ts'
import { noteEffect } from '../drivers/postgres/operation-effect.ts'
import { connect, type Pool, transaction } from '../drivers/postgres/pool.ts'
import { systemClock } from '../drivers/system-clock.ts'
import type { AuditIntent, Principal } from '../ports/audit.ts'
import type { DeadLetters } from '../ports/dead-letters.ts'
import { closeIntents } from './close-intents.ts'
import { replayDeadLetter } from './replay-dead-letter.ts'

const ML = 'mercadolibre:1001'
const principal: Principal = { id: 'ana', scopes: new Set(['dlq.replay']), via: 'cli' }

let database: TestDatabase
let operator: Pool
let owner: Pool
let rows: Rows

beforeAll(async () => {
  database = await cloneDatabase()
  operator = connect({ url: database.url, role: 'rosh_operator', max: 10, applicationName: 'close-intents-test' })
  owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'close-intents-test-owner' })
  rows = rowsOf(owner)
  for (const id of ['odoo', ML]) await rows.channel(id)
})

// The log only grows: what a test leaves open in it is closed before the next.
beforeEach(async () => {
  await letPass(1_500)
  await closeIntents(postgresOpenIntents(operator))
  await rows.clear()
})

afterAll(async () => {
  await Promise.all([operator.end(), owner.end()])
  await database.drop()
})

const letPass = (minutes: number) => owner.query(`UPDATE hub_clock SET shift = shift + $1 * interval '1 min'`, [minutes])
const close = () => closeIntents(postgresOpenIntents(operator))
const anIntent = (more: Partial<AuditIntent> = {}): AuditIntent => ({
  principal,
  tool: 'replay_dlq_message',
  scopeUsed: 'dlq.replay',
  params: {},
  isNoted: true,
  ...more,
})

async function aDeadLetter(): Promise<string> {
  const orderId = await rows.order()
  const bindingId = await rows.binding({ orderId, channel: ML })
  return rows.delivery({ orderId, channel: ML, bindingId, state: 'dead', cause: 'sku-unknown', reason: 'rejected' })
}

const stateOf = async (id: string): Promise<unknown> =>
  (await owner.query('SELECT state, replays FROM delivery WHERE id = $1', [id])).rows[0]

async function outcomesOf(operationId: string): Promise<unknown[]> {
  const found = await owner.query<{ actor: string; body: string }>(
    `SELECT actor, body FROM audit WHERE phase = 'outcome' AND operation_id = $1`,
    [operationId],
  )
  return found.rows.map(({ actor, body }) => ({ actor, ...(JSON.parse(body) as object) }))
}

async function problemsOfChain(): Promise<string[]> {
  return (await verifyChain(postgresAuditChain(owner).rows(), { checkpoints: [], publicKey: checkpointKey(new Uint8Array(32)).publicKey }))
    .problems
}

/** A replay by a process that says nothing more once it has reached `at`; it goes on when it is told to. */
function frozenReplay(outboxId: string, at: 'before-effect' | 'after-effect') {
  let thaw = (): void => {}
  const frozen = new Promise<void>((resolve) => {
    thaw = resolve
  })
  let operation = ''
  const letters = postgresDeadLetters(operator)
  const deadLetters: DeadLetters = {
    ...letters,
    async replay(ref, version, operationId) {
      const early = at === 'after-effect' ? await letters.replay(ref, version, operationId) : null
      operation = operationId
      await frozen
      return early ?? letters.replay(ref, version, operationId)
    },
  }
  const ports = { deadLetters, audit: postgresAudit(operator), clock: systemClock }
  const answer = replayDeadLetter({ principal, outboxId, reason: null, tool: 'replay_dlq_message' }, ports)
  return { answer, thaw, reached: () => until(async () => operation) }
}

test('an act that took effect and never said so ends `ok`, by the hub, with what it changed', async () => {
  const id = await aDeadLetter()
  const replay = frozenReplay(`outbox-${id}`, 'after-effect')
  const operationId = await replay.reached()
  expect(await close()).toEqual([])
  await letPass(11)
  expect(await close()).toEqual([{ operationId, result: 'ok' }])
  expect(await outcomesOf(operationId)).toEqual([
    { actor: 'hub', phase: 'outcome', operation_id: operationId, resolved: true, result: 'ok', effect: { changed: [`outbox-${id}`] } },
  ])
  const { rows: shown } = await owner.query(
    `SELECT user_id, result_status, latency_ms FROM mcp_audit_log ORDER BY "timestamp" DESC LIMIT 1`,
  )
  expect(shown).toEqual([{ user_id: 'ana', result_status: 'ok', latency_ms: null }])
  replay.thaw()
  expect(await replay.answer).toMatchObject({ kind: 'replayed', recorded: true })
  expect(await outcomesOf(operationId)).toHaveLength(1)
  expect(await problemsOfChain()).toEqual([])
})

test('one that took no effect ends so, and when its process comes back it changes nothing', async () => {
  const id = await aDeadLetter()
  const replay = frozenReplay(`outbox-${id}`, 'before-effect')
  const operationId = await replay.reached()
  await letPass(11)
  expect(await close()).toEqual([{ operationId, result: 'error' }])
  replay.thaw()
  expect(await replay.answer).toMatchObject({ kind: 'refused', reason: 'unaudited' })
  expect(await stateOf(id)).toEqual({ state: 'dead', replays: 0 })
  expect(await outcomesOf(operationId)).toMatchObject([{ result: 'error', error_code: 'no-effect' }])
  expect(await problemsOfChain()).toEqual([])
})

test('an effect that commits while its intent is being closed counts', async () => {
  const operationId = await postgresAudit(operator).intend(anIntent())
  await letPass(11)
  let closing: ReturnType<typeof close> | undefined
  await transaction(operator, async (client) => {
    await noteEffect(client, operationId, { changed: ['outbox-7'] })
    closing = close()
    await until(async () => (await owner.query(`SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`)).rowCount === 1)
  })
  expect(await closing).toEqual([{ operationId, result: 'ok' }])
})

test('an act of which nothing stored tells how it ended stays unknown, for good', async () => {
  const audit = postgresAudit(operator)
  const operationId = await audit.intend(anIntent({ tool: 'rosh rotate-keys', isNoted: false }))
  await letPass(11)
  expect(await close()).toEqual([{ operationId, result: 'unknown' }])
  await letPass(11)
  expect(await close()).toEqual([])
  expect(await audit.complete(operationId, { result: 'ok', latencyMs: 1 })).toBe(false)
  expect(await outcomesOf(operationId)).toMatchObject([{ result: 'unknown', error_code: 'not-provable' }])
})

test('one that may last a day is left open for a day', async () => {
  const operationId = await postgresAudit(operator).intend(anIntent({ mayLastMs: 86_400_000 }))
  await letPass(23 * 60)
  expect(await close()).toEqual([])
  await letPass(61)
  expect(await close()).toEqual([{ operationId, result: 'error' }])
})

test('several hubs and the processes themselves write one outcome an intent', async () => {
  const audit = postgresAudit(operator)
  const operations = await Promise.all(Array.from({ length: 20 }, () => audit.intend(anIntent())))
  await letPass(11)
  const [late, ...closed] = await Promise.all([
    Promise.all(operations.map((id) => audit.complete(id, { result: 'ok', latencyMs: 1 }))),
    ...Array.from({ length: 4 }, close),
  ])
  const closedBy = closed.flat().map((one) => one.operationId)
  expect([...operations.filter((_, at) => late?.[at]), ...closedBy].toSorted()).toEqual(operations.toSorted())
  for (const id of operations) expect(await outcomesOf(id)).toHaveLength(1)
  expect(await problemsOfChain()).toEqual([])
})
