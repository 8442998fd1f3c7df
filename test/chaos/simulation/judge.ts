import { canonicalJson } from '../../../src/core/canonical-json.ts'
import type { DesiredOrder } from '../../../src/core/desired.ts'
import { compareOrder } from '../../../src/core/drift.ts'
import { foldOrder, type Observed } from '../../../src/core/fold.ts'
import type { MemoryErpOrder } from '../../../src/drivers/memory/erp-book.ts'
import type { World } from './world.ts'

/** The last word on a run that came to rest: every ledger against what was wanted, and the rows against each other. */
export async function judge(world: World): Promise<void> {
  for (const order of world.book.orders.values()) if (order.byHub === null) proveErpOrder(world, order)
  for (const market of world.markets) proveBought(world, market.channel)
  await proveFolds(world)
  await proveWebhooks(world)
  await proveConserved(world)
  await proveAttempts(world)
  world.prove()
}

/** Whether a system shows under this reference what it should. */
export function isShown(world: World, channel: string, reference: string, desired: DesiredOrder): boolean {
  if (channel === 'odoo') return isShownByErp(world, reference, desired)
  const order = [...(world.markets.find((one) => one.channel === channel)?.orders.values() ?? [])].find(
    (one) => one.reference === reference,
  )
  if (!order) return desired.lifecycle === 'cancelled'
  return compareOrder(desired, { ...order, lifecycle: order.cancelled ? 'cancelled' : 'open' }).length === 0
}

function isShownByErp(world: World, reference: string, desired: DesiredOrder): boolean {
  if (desired.origin === 'odoo') return typeof world.book.orders.get(desired.orderKey)?.told === 'string'
  const order = [...world.book.orders.values()].find((one) => one.byHub?.channel === desired.origin && one.reference === reference)
  return desired.lifecycle === 'cancelled' ? order?.state !== 'sale' : order?.state === 'sale'
}

/** An order of the ERP stands at every marketplace as it stands there now. */
function proveErpOrder(world: World, { id, state, lines }: MemoryErpOrder): void {
  const wanted = lines.map(({ sku, quantity }) => `${quantity} ${sku}`).join(', ')
  for (const { channel, orders } of world.markets) {
    const there = [...orders.values()].find((order) => order.reference === `odoo-${id}`)
    const shown = there && !there.cancelled ? there.lines.map(({ sku, quantity }) => `${quantity} ${sku}`).join(', ') : 'nothing'
    const due = state === 'sale' ? wanted : 'nothing'
    if (shown !== due) world.breach(`lost: ${channel} shows ${shown} for odoo-${id}, and the ERP wants ${due}`)
  }
}

/** An order of a marketplace stands once in the ERP, confirmed, and cancelled with it. */
function proveBought(world: World, channel: string): void {
  const bought = [...(world.markets.find((one) => one.channel === channel)?.orders.values() ?? [])].filter((o) => o.reference === null)
  for (const { id, cancelled, fulfilment } of bought) {
    const there = [...world.book.orders.values()].find((order) => order.byHub?.channel === channel && order.reference === id)
    const state = there?.state ?? 'none'
    if (cancelled ? state === 'sale' || state === 'draft' : state !== 'sale')
      world.breach(`lost: the ERP shows ${state} for ${channel} ${id}, which is ${cancelled ? 'cancelled' : 'open'}`)
    if (!cancelled && !there?.told?.startsWith(fulfilment))
      world.breach(`lost: the ERP was not told that ${channel} ${id} is ${fulfilment}`)
  }
}

/** I4: the projection is the fold of what was observed, in whatever order it is read. */
async function proveFolds(world: World): Promise<void> {
  const { rows } = await world.owner.query<{ id: string; origin: string; order_key: string; canonical: unknown; observed: Observed[] }>(
    `SELECT s.id, s.origin, s.order_key, s.canonical, jsonb_agg(jsonb_build_object('channel', o.channel, 'fragment', o.body, 'fetchNo', o.fetch_no) ORDER BY md5(o.id::text)) AS observed
     FROM silver_order s JOIN observation o ON o.order_id = s.id GROUP BY s.id ORDER BY s.id`,
  )
  for (const row of rows) {
    const { order } = foldOrder(row.origin, row.order_key, row.observed, (channel) => channel !== 'odoo')
    if (canonicalJson(order) !== canonicalJson(row.canonical))
      world.breach(
        `I4: silver order ${row.id} is not the fold of its observations: ${canonicalJson(row.canonical)}, not ${canonicalJson(order)}`,
      )
  }
}

/** I1: what was acknowledged is stored, as an event that was applied or set aside. */
async function proveWebhooks(world: World): Promise<void> {
  const { rows } = await world.owner.query<{ body: string; events: number }>(
    `SELECT convert_from(r.body, 'UTF8') AS body, count(e.id)::int AS events
     FROM inbound_request r LEFT JOIN inbound_event e ON e.request_id = r.id AND e.state IN ('applied', 'ignored') GROUP BY r.id`,
  )
  const held = new Set(rows.filter((row) => row.events > 0).map((row) => row.body))
  for (const body of world.acknowledged)
    if (!held.has(body)) world.breach(`I1: the webhook ${body} was acknowledged and no event of it ended`)
}

/** I12 */
export async function proveConserved(world: World): Promise<void> {
  const { rows } = await world.owner.query<{ flow: string; taken: string; accounted: string }>(
    `SELECT flow, taken, accounted FROM conservation`,
  )
  for (const { flow, taken, accounted } of rows)
    if (taken !== accounted) world.breach(`I12: ${flow}: ${taken} taken, ${accounted} accounted for`)
}

/** I5: every request that a system saw has one attempt, and every attempt ended. */
async function proveAttempts(world: World): Promise<void> {
  const { rows } = await world.owner.query<{ id: string; channel: string; outcome: string | null }>(
    `SELECT id, channel, outcome FROM attempt`,
  )
  const attempts = new Map(rows.map((row) => [row.id, row]))
  for (const { id, outcome } of rows) if (outcome === null) world.breach(`I5: attempt ${id} never ended`)
  for (const { channel, requests } of world.markets) {
    const ids = requests.map((request) => request.requestId)
    for (const id of ids) if (attempts.get(id)?.channel !== channel) world.breach(`I5: ${channel} saw request ${id}, which has no attempt`)
    if (new Set(ids).size !== ids.length) world.breach(`I5: ${channel} saw one request id twice`)
  }
}
