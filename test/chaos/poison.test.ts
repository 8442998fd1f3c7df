import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { postgresDeadLetters } from '../../src/drivers/postgres/dead-letters.ts'
import { HUB_YAML, type RunningHub, startHub, until } from '../support/running-hub.ts'
import { makeNaive } from './stage.ts'
import type { PoisonedHubPlan } from './run-poisoned-hub.ts'

const POISON = { next: 'SKU-008', send: 'SKU-007', fetch: 'SKU-009' }
/** Longer than every lease of the hub: what a dead process held is free at once. */
const BEYOND_LEASES = 130
const MOST_DEATHS = 30

let running: RunningHub
let node: ChildProcess | undefined

beforeEach(async () => {
  // Leases long enough that they still stand when the test looks at what a dead process held.
  running = await startHub({ services: [], yaml: HUB_YAML.replaceAll(/leaseMs: \d+/g, 'leaseMs: 60000') })
  await makeNaive(running)
})
afterEach(async () => {
  node?.kill('SIGKILL')
  await running.stop()
})

function startNode(poison: PoisonedHubPlan['poison']): Promise<unknown> {
  const plan: PoisonedHubPlan = { env: running.env, databaseUrl: running.database.url, poison }
  node = spawn(process.execPath, [fileURLToPath(new URL('run-poisoned-hub.ts', import.meta.url))], {
    env: { PATH: process.env.PATH, CHAOS_NODE: JSON.stringify(plan) },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return once(node, 'exit')
}

async function rowsOf<T extends object>(sql: string, values: unknown[] = []): Promise<T[]> {
  return (await running.owner.query<T>(sql, values)).rows
}

const letPass = (seconds: number): Promise<unknown> => rowsOf(`UPDATE hub_clock SET shift = shift + $1 * interval '1 s'`, [seconds])

async function inErp(team: string, sku: string, count = 1): Promise<void> {
  const body = { state: 'sale', team, count, partner: 'María Pérez', lines: [{ sku, quantity: 1, price: 5_000 }] }
  await running.odoo('POST', '/admin/orders', body)
}

const purchase = (sku: string): Promise<unknown> =>
  running.meli('POST', '/admin/purchases', { seller: 1001, items: [{ sku, quantity: 1, unit_price: 9_990 }] })

/** What the process that just died had in hand. */
const inHand = (): Promise<{ what: string; alone: number }[]> =>
  rowsOf(
    `SELECT 'delivery ' || id AS what, unfinished_alone AS alone FROM delivery WHERE lease_until > hub_now()
     UNION ALL SELECT 'event ' || id, unfinished_alone FROM inbound_event WHERE lease_until > hub_now()
     UNION ALL SELECT name, 0 FROM cursor WHERE lease_until > hub_now()`,
  )

const openWork = async (): Promise<number> =>
  (
    await rowsOf<{ n: number }>(
      `SELECT (SELECT count(*) FROM delivery WHERE state IN ('pending', 'ambiguous') AND cause IS DISTINCT FROM 'poison')::int
            + (SELECT count(*) FROM inbound_event WHERE state = 'pending')::int AS n`,
    )
  )[0]?.n ?? 0

const ordersAt = async (sku: string): Promise<{ state: string; cause: string | null }[]> =>
  rowsOf(
    `SELECT d.state, d.cause FROM delivery d JOIN desired w ON w.id = d.desired_id
     WHERE d.channel <> 'odoo' AND d.kind = 'order' AND w.content -> 'lines' -> 0 ->> 'sku' = $1`,
    [sku],
  )

/** How often the marketplace made each order of that SKU. */
async function createdAt(sku: string): Promise<number[]> {
  const { orders } = (await running.meli('GET', '/admin/orders')) as { orders: { external_reference: string | null }[] }
  const references = await rowsOf<{ reference: string }>(
    `SELECT DISTINCT b.reference FROM delivery d JOIN binding b ON b.id = d.binding_id JOIN desired w ON w.id = d.desired_id
     WHERE d.channel = 'mercadolibre:1001' AND d.kind = 'order' AND w.content -> 'lines' -> 0 ->> 'sku' = $1`,
    [sku],
  )
  return references.map(({ reference }) => orders.filter((o) => o.external_reference === reference).length)
}

test('what ends its process is isolated as poison by its own deaths, and everything else flows', { timeout: 300_000 }, async () => {
  await inErp('MercadoLibre', 'SKU-001', 4)
  await inErp('MercadoLibre', POISON.next)
  await inErp('MercadoLibre', POISON.send)
  await inErp('Paris', 'SKU-002', 3)
  for (const sku of ['SKU-003', 'SKU-004', POISON.fetch]) await purchase(sku)
  await until(async () => (await rowsOf(`SELECT FROM inbound_event`)).length >= 3)

  const ended = async (): Promise<boolean> =>
    (await openWork()) === 0 && (await ordersAt('SKU-001')).length === 4 && (await ordersAt('SKU-002')).length === 3
  const diedAlone = { deaths: 0, alone: 0 }
  for (let alive = false; !alive && diedAlone.deaths < MOST_DEATHS; ) {
    const died = startNode(POISON).then(() => false)
    alive = await Promise.race([
      died,
      until(async () => (await ended()) || node?.exitCode !== null || node.signalCode !== null, 60_000).then(ended),
    ])
    if (alive) break
    await died
    const held = await inHand()
    diedAlone.deaths += 1
    if (held.some((row) => row.alone > 0)) {
      diedAlone.alone += 1
      expect(held, `in hand together with a suspect: ${held.map((row) => row.what).join(', ')}`).toHaveLength(1)
    }
    await letPass(BEYOND_LEASES)
  }

  expect(await ordersAt('SKU-001')).toEqual(Array(4).fill({ state: 'delivered', cause: null }))
  expect(await ordersAt('SKU-002')).toEqual(Array(3).fill({ state: 'delivered', cause: null }))
  expect(await ordersAt(POISON.next)).toEqual([{ state: 'dead', cause: 'poison' }])
  expect(await ordersAt(POISON.send)).toEqual([{ state: 'ambiguous', cause: 'poison' }])
  const dead = await rowsOf<{ cause: string; resource: string }>(`SELECT cause, resource FROM inbound_event WHERE state = 'dead'`)
  expect(dead.length).toBeGreaterThan(0)
  expect(new Set(dead.map((e) => e.cause))).toEqual(new Set(['poison']))
  expect((await rowsOf(`SELECT FROM silver_order WHERE origin = 'mercadolibre:1001'`)).length).toBe(2)
  expect(diedAlone.alone, 'each poison ended its process twice alone').toBeGreaterThanOrEqual(6)

  // Nobody claims what is isolated, however long; a person lets it out once the program is mended, and a look-up comes before any send.
  await letPass(3_600)
  const claimed = (): Promise<object[]> => rowsOf(`SELECT id, lease, state_version FROM delivery WHERE cause = 'poison' ORDER BY id`)
  const before = await claimed()
  node?.kill('SIGKILL')
  void startNode(null)
  await inErp('MercadoLibre', 'SKU-005')
  await until(async () => (await ordersAt('SKU-005'))[0]?.state === 'delivered', 60_000)
  expect(await claimed()).toEqual(before)
  const letters = postgresDeadLetters(running.hub.pools.operator)
  const refs = [
    ...(await rowsOf<{ id: string }>(`SELECT id FROM delivery WHERE cause = 'poison'`)).map(({ id }) => ({
      table: 'delivery' as const,
      id,
    })),
    ...(await rowsOf<{ id: string }>(`SELECT id FROM inbound_event WHERE cause = 'poison'`)).map(({ id }) => ({
      table: 'inbound_event' as const,
      id,
    })),
  ]
  for (const ref of refs)
    expect(await letters.replay(ref, (await letters.state(ref))?.stateVersion ?? 0, randomUUID())).toMatchObject({ kind: 'replayed' })
  await until(async () => (await openWork()) === 0 && (await rowsOf(`SELECT FROM delivery WHERE cause = 'poison'`)).length === 0, 60_000)
  expect(await ordersAt(POISON.next)).toEqual([{ state: 'delivered', cause: null }])
  expect(await ordersAt(POISON.send)).toEqual([{ state: 'delivered', cause: null }])
  expect([await createdAt(POISON.next), await createdAt(POISON.send)]).toEqual([[1], [1]])
  expect((await rowsOf(`SELECT FROM silver_order WHERE origin = 'mercadolibre:1001'`)).length).toBe(3)
})

test('a process killed again and again with a batch in hand poisons nothing', { timeout: 300_000 }, async () => {
  await running.meli('PUT', '/admin/faults', [{ match: { path: '^/orders' }, fault: 'latency', ms: 400 }])
  const kills = 6
  for (let killed = 0; killed < kills; killed++) {
    await inErp('MercadoLibre', 'SKU-001', 3)
    await inErp('Paris', 'SKU-002', 3)
    await purchase('SKU-003')
    const died = startNode(null)
    await until(async () => ((await inHand()).filter((row) => row.alone === 0).length >= 2 ? true : undefined), 60_000)
    node?.kill('SIGKILL')
    await died
    await letPass(BEYOND_LEASES)
  }
  void startNode(null)
  const all = async (): Promise<boolean> =>
    (await openWork()) === 0 &&
    (await ordersAt('SKU-001')).length === 3 * kills &&
    (await ordersAt('SKU-002')).length === 3 * kills &&
    (await rowsOf(`SELECT FROM silver_order WHERE origin = 'mercadolibre:1001'`)).length === kills
  await until(all, 120_000)
  expect(await rowsOf(`SELECT id, cause FROM delivery WHERE cause = 'poison' OR state = 'dead'`)).toEqual([])
  expect(await rowsOf(`SELECT id, cause FROM inbound_event WHERE cause = 'poison' OR state = 'dead'`)).toEqual([])
  expect(await createdAt('SKU-001')).toEqual(Array(3 * kills).fill(1))
})
