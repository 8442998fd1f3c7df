import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readIncidents } from '../../src/cli/seed.ts'
import { seedMasterData } from '../../src/cli/seed/erp-orders.ts'
import { plantFirst, plantLate, repair } from '../../src/cli/seed/incident.ts'
import { simulatorApi } from '../../src/cli/seed/simulator-api.ts'
import type { Desk } from '../../src/desk.ts'
import { packageRoot } from '../../src/home.ts'
import { type Agent, agentOf, deskOf, missingEvidence } from '../support/agent.ts'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

// The three calls that README shows, and every incident of the Monday, asked through MCP. The incidents are planted as the seed plants them,
// without the hundreds of orders around them.
let running: RunningHub
let desk: Desk
let agent: Agent

beforeAll(async () => {
  const yaml = readFileSync(join(packageRoot, 'seed/hub.yaml'), 'utf8').replace(/^compareAfterSeconds: .*$/m, 'compareAfterSeconds: 1')
  running = await startHub({ yaml, env: { RECONCILER_INTERVAL_SECONDS: '2' } })
  const { signal } = new AbortController()
  const api = simulatorApi(running.hub.config, signal)
  await seedMasterData(api)
  const planted = readIncidents()
  for (const incident of planted) await plantFirst(api, incident, { deadlineMs: 0, signal })
  const patience = { deadlineMs: performance.now() + 60_000, signal }
  const late = await Promise.all(planted.map((incident) => plantLate(api, incident, patience)))
  if (late.includes(false)) throw new Error(`not planted: ${planted.flatMap((one, at) => (late[at] ? [] : [one.reference])).join(', ')}`)
  await api.close()
  desk = await deskOf(running)
  agent = await agentOf(desk, 'operator')
}, 120_000)
afterAll(async () => {
  await agent?.close()
  await desk?.close()
  await running?.stop()
})

test('trace_order names the declared cause of every incident, and cites rows that exist', async () => {
  const wrong = new Map<string, string>()
  for (const [at, { reference, declared }] of readIncidents().entries()) {
    const wanted = declared.cause
    // A person for each: what one of them may ask in a minute is bounded.
    const person = await agentOf(desk, 'viewer', { id: `person-${at}`, era: at % 2 === 0 ? '2026-07-28' : '2025-11-25' })
    const asked = async (): Promise<boolean> => {
      const trace = await person.trace(reference)
      const missing = await missingEvidence(running, trace.evidence)
      wrong.set(reference, `${trace.cause}, not ${wanted}: ${trace.sentence} ${JSON.stringify(missing)}`)
      return trace.cause === wanted && trace.evidence.length > 0 && missing.length === 0
    }
    const found = await eventually(asked, 40_000)
    if (found) wrong.delete(reference)
    await person.close()
  }
  expect(Object.fromEntries(wrong)).toEqual({})
}, 120_000)

test('trace_order("ML-12345") and trace_order("ML-98345") name two different causes', async () => {
  expect(await agent.trace('ML-12345')).toMatchObject({ found: true, cause: 'rejected-by-target', next_step: { kind: 'fix-then-replay' } })
  expect(await agent.trace('ML-98345')).toMatchObject({ found: true, cause: 'sku-unknown' })
  expect(await agent.trace('ROSH-ORDER-0001')).toMatchObject({ found: true, cause: 'delivered' })
})

test('get_dlq_depth() counts what is dead in the database, by target and by cause', async () => {
  const { rows } = await running.owner.query<{ cause: string; n: number }>(
    `SELECT cause, count(*)::int AS n FROM (
       SELECT cause FROM delivery WHERE state = 'dead' AND resolved_by IS NULL AND archived_at IS NULL
       UNION ALL SELECT cause FROM inbound_event WHERE state = 'dead' AND resolved_by IS NULL AND archived_at IS NULL) dead GROUP BY cause`,
  )
  const depth = (await agent.call('get_dlq_depth')).data as { dead_letters: number; by_cause: { cause: string; count: number }[] }
  expect(depth.dead_letters).toBe(rows.reduce((sum, row) => sum + row.n, 0))
  expect(Object.fromEntries(depth.by_cause.map((c) => [c.cause, c.count]))).toEqual(Object.fromEntries(rows.map((r) => [r.cause, r.n])))
  const planted = readIncidents().filter(({ declared }) => declared.state === 'dead')
  expect(depth.dead_letters).toBeGreaterThanOrEqual(planted.length)
})

test('retry_failed_sync("12345") before the cause is gone ends in the same dead letter; after it, the order is delivered', async () => {
  const { rows } = await running.owner.query<{ id: string; external: string }>(
    `SELECT s.id, s.order_key AS external FROM identifier i JOIN silver_order s ON s.id = i.order_id WHERE i.value = 'ML-12345'`,
  )
  const reference = `odoo-${rows[0]?.external}`
  const retried = async (): Promise<{ changed: number; planned: number }> => {
    const reply = await agent.call('retry_failed_sync', { order_id: '12345' })
    expect([reply.isError, reply.text]).toEqual([false, expect.any(String)])
    return reply.data as { changed: number; planned: number }
  }
  expect(await retried()).toMatchObject({ changed: 1, planned: 0 })
  await until(async () => (await agent.trace('ML-12345')).cause === 'rejected-by-target')
  await running.meli('DELETE', '/admin/refuse-references', { references: [reference] })
  expect(await retried()).toMatchObject({ changed: 1 })
  await until(async () =>
    (await agent.trace('ML-12345')).targets?.some((t) => t.target.startsWith('mercadolibre:') && t.cause === 'delivered'),
  )
  const { orders } = (await running.meli('GET', `/admin/orders?external_reference=${reference}`)) as { orders: unknown[] }
  expect(orders).toHaveLength(1)
})

test('every incident whose next safe step is a replay is repaired by it, once its cause is gone', async () => {
  const { signal } = new AbortController()
  const api = simulatorApi(running.hub.config, signal)
  const broken = readIncidents().filter(({ reference, declared }) => declared.nextStep === 'replay' && reference !== 'ML-12345')
  const left: string[] = []
  for (const incident of broken) {
    const { reference, declared } = incident
    await repair(api, incident, { deadlineMs: performance.now() + 10_000, signal })
    await agent.call('retry_failed_sync', { order_id: reference })
    const gone = await eventually(async () => (await agent.trace(reference)).cause !== declared.cause, 30_000)
    if (!gone) left.push(reference)
  }
  await api.close()
  expect(left).toEqual([])
}, 200_000)

async function eventually(asked: () => Promise<boolean>, forMs: number): Promise<boolean> {
  return until(asked, forMs).then(
    () => true,
    () => false,
  )
}
