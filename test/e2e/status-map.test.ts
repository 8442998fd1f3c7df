import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runService } from '../../src/apps/up.ts'
import { assemble, type Hub } from '../../src/assembly.ts'
import { loadConfig } from '../../src/config.ts'
import type { Desk } from '../../src/desk.ts'
import { judged } from '../chaos/judge.ts'
import { type Agent, agentOf, deskOf } from '../support/agent.ts'
import { HUB_YAML, type RunningHub, startHub, until } from '../support/running-hub.ts'

// Without the reconciler: it would fetch an open Paris order again by itself.
const SERVICES = ['subscriber', 'worker'] as const
const MAPPED = HUB_YAML.replace(
  "'mercadolibre:1001': {",
  "'mercadolibre:1001': { statusMap: { shipment: { in_customs: shipped }, order: { under_review: { payment: paid, lifecycle: open } } },",
).replace("'paris:main': {", "'paris:main': { statusMap: { order: { en_ruta: { lifecycle: open, fulfilment: shipped } } },")

let running: RunningHub
let desk: Desk
let agent: Agent
beforeAll(async () => {
  running = await startHub({ services: SERVICES })
  desk = await deskOf(running)
  agent = await agentOf(desk, 'operator')
})
let anew: { hub: Hub; stop(): Promise<void> } | undefined
afterAll(async () => {
  await anew?.stop()
  await agent?.close()
  await desk?.close()
  await running?.stop()
})

/** The hub stops, its file is edited, and it starts again on the same database. */
async function startAnew(yaml: string): Promise<{ hub: Hub; stop(): Promise<void> }> {
  await running.halt()
  await writeFile(join(running.home, 'hub.yaml'), yaml)
  const hub = await assemble(loadConfig(running.env, { demo: false }), running.database.url, running.hub.log)
  const stopping = new AbortController()
  const services = Promise.all(SERVICES.map((service) => runService(service, hub, stopping.signal)))
  return {
    hub,
    async stop() {
      stopping.abort()
      await services
      await hub.close()
    },
  }
}

interface Silver {
  fulfilment: string
  payment: string
  flags: string[]
  display_status: string
}

const silver = async (orderKey: string): Promise<Silver | undefined> =>
  (
    await running.owner.query<Silver>(`SELECT fulfilment, payment, flags, display_status FROM silver_order WHERE order_key = $1`, [
      orderKey,
    ])
  ).rows[0]
const unknown = (orderKey: string): Promise<true> =>
  until(async () => (await silver(orderKey))?.flags.includes('unknown_status') || undefined)
const eventsOf = async (orderKey: string): Promise<{ state: string; reason: string | null }[]> =>
  (
    await running.owner.query(
      `SELECT e.state, e.reason FROM inbound_event e JOIN silver_order s ON s.id = e.order_id WHERE s.order_key = $1 AND topic = 'refetch' ORDER BY e.id`,
      [orderKey],
    )
  ).rows

/** A cart of two at MercadoLibre whose parcel, and with an order status one of its orders too, is in a state that no map knows. */
async function buyAtMeli(orderStatus?: string): Promise<string> {
  const items = [
    { sku: 'SKU-002', quantity: 1, unit_price: 9_990 },
    { sku: 'SKU-003', quantity: 1, unit_price: 4_990 },
  ]
  const bought = (await running.meli('POST', '/admin/purchases', { seller: 1001, items, pack: true })) as {
    order_ids: number[]
    pack_id: number
    shipment_id: number
  }
  await until(() => silver(String(bought.pack_id)))
  await running.meli('POST', `/admin/shipments/${bought.shipment_id}/status`, { status: 'in_customs' })
  if (orderStatus) await running.meli('POST', `/admin/orders/${bought.order_ids[0]}/status`, { status: orderStatus })
  return String(bought.pack_id)
}

test('an unknown status is named, its meaning is added to the file, and a retry applies it to what was fetched before', async () => {
  const { id: paris } = (await running.paris('POST', '/admin/orders', { buyer: 'Eva', items: [{ sku: 'SKU-001', qty: 1 }] })) as {
    id: string
  }
  await running.paris('POST', `/admin/orders/${paris}/emit-webhook`, { status: 'en_ruta' })
  const sales = [await buyAtMeli(), await buyAtMeli('under_review')]
  for (const orderKey of [paris, ...sales]) {
    await unknown(orderKey)
    const trace = await until(async () => {
      const seen = await agent.trace(orderKey)
      return seen.cause === 'unmapped-status' ? seen : undefined
    })
    expect(trace.next_step).toMatchObject({ kind: 'extend-map', sentence: expect.stringContaining('statusMap') })
    expect(trace.suggestedActions.map((action) => action.toolName)).toContain('retry_failed_sync')
  }

  // Too early: it is fetched again, and says what it said.
  expect((await agent.call('retry_failed_sync', { order_id: paris })).data).toMatchObject({ changed: 1, refetched: [expect.any(String)] })
  await until(async () => (await eventsOf(paris)).length > 0)
  expect(await eventsOf(paris)).toEqual([{ state: 'ignored', reason: 'unchanged' }])
  expect(await agent.trace(paris)).toMatchObject({ cause: 'unmapped-status' })

  anew = await startAnew(MAPPED)
  for (const orderKey of [paris, ...sales]) {
    const reply = await agent.call('retry_failed_sync', { order_id: orderKey, reason: 'its status is in the map now' })
    expect(reply).toMatchObject({ isError: false, data: { changed: 1, replayed: [], planned: 0, refetched: [expect.any(String)] } })
    await until(async () => !(await silver(orderKey))?.flags.includes('unknown_status'))
    expect(await silver(orderKey)).toMatchObject({ fulfilment: 'shipped', payment: 'paid', display_status: 'SHIPPED' })
    expect((await eventsOf(orderKey)).at(-1)).toEqual({ state: 'applied', reason: null })
    const after = await agent.trace(orderKey)
    expect([after.cause, ...(after.also_found ?? []).map((f) => f.cause)]).not.toContain('unmapped-status')
    const told = after.timeline?.map((entry) => entry.what) ?? []
    expect(told).toContain('asked to fetch the order again')
    expect(told.some((what) => what.includes('retry_failed_sync'))).toBe(true)
    const { rows } = await running.owner.query(
      `SELECT phase, body::jsonb -> 'effect' AS effect FROM audit WHERE operation_id = $1 ORDER BY seq`,
      [reply.data.operation_id],
    )
    expect(rows).toMatchObject([{ phase: 'intent' }, { phase: 'outcome', effect: { refetched: reply.data.refetched } }])
  }

  const again = await agent.call('retry_failed_sync', { order_id: paris })
  expect(again).toMatchObject({ isError: true, text: expect.stringContaining('nothing-to-retry') })
  const { rows } = await running.owner.query(`SELECT flow FROM conservation WHERE taken <> accounted`)
  expect(rows).toEqual([])
  const report = await judged(running, { erpToMarketplace: 0, marketplaceToErp: 3 }, 20_000)
  expect(report.breaches).toEqual([])
})
