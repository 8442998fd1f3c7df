import type { Fetched } from '../../../src/ports/marketplace.ts'
import type { AttemptLog } from '../../../src/ports/attempt-log.ts'
import { aTicket } from '../../support/fetch-ticket.ts'
import type { Bought } from '../made.ts'
import type { Stage } from '../stage.ts'
import type { Script } from './script.ts'

/** Permutations that one scenario tries; five seeds together try all of five states. */
const SLICE = 24
const STEPS = [{ substatus: 'printed' }, { status: 'shipped', tracking_number: 'CL1' }, { tracking_number: 'CL2' }, { status: 'delivered' }]

/** W2: five states of a sale arrive in any order; the projection is that of the newest. */
export const permutedStates: Script = {
  async run(stage) {
    const { running, plan } = stage
    const permutations = allOrders([0, 1, 2, 3, 4]).slice((plan.seed % 5) * SLICE, (plan.seed % 5) * SLICE + SLICE)
    // One after the other: on a busy machine so many reads at once would outlast their limit.
    const seen: Seen[][] = []
    for (let sale = 0; sale < permutations.length; sale++) seen.push(await fiveStates(stage))
    for (const [i, permutation] of permutations.entries()) for (const at of permutation) await applied(stage, seen[i]?.[at] as Seen)
    stage.fire('five states of each sale arrived permuted', seen.map((states) => states[0]?.fetched.orderKey).join(' '))
    const wrong = await stage.rows<{ order_key: string }>(
      `SELECT order_key FROM silver_order WHERE origin = 'mercadolibre:1001' AND fulfilment <> 'delivered'`,
    )
    stage.check(wrong.length === 0, `the newest state wins whatever the order of arrival: ${wrong.map((row) => row.order_key).join(' ')}`)
    await running.meli('PUT', '/admin/callback', { url: null })
    await stage.calm('worker')
    return { erpToMarketplace: 0, marketplaceToErp: SLICE }
  },
}

interface Seen {
  resource: string
  fetched: Fetched
}

async function fiveStates(stage: Stage): Promise<Seen[]> {
  const { meli } = stage.running
  const items = [{ sku: 'SKU-002', quantity: 1, unit_price: 15_990 }]
  const bought = (await meli('POST', '/admin/purchases', { seller: 1001, items, no_notify: true })) as Bought
  const states = [await look(stage, bought)]
  for (const [i, step] of STEPS.entries()) {
    // A later instant for each: the marketplace's own version decides, and it is what it says it is.
    const at = new Date(Date.now() + (i + 1) * 1_000).toISOString()
    await meli('POST', `/admin/shipments/${bought.shipment_id}/status`, { ...step, at, no_notify: true })
    states.push(await look(stage, bought))
  }
  return states
}

const unrecorded: AttemptLog = { read: (_operation, call) => call('') }

async function look({ running }: Stage, { order_ids }: Bought): Promise<Seen> {
  const marketplace = running.hub.marketplaces.find((one) => one.channel === 'mercadolibre:1001')
  if (!marketplace) throw new Error('no such account')
  const resource = `/orders/${order_ids[0]}`
  return { resource, fetched: await marketplace.fetchOrder(resource, unrecorded, AbortSignal.timeout(10_000)) }
}

async function applied({ running }: Stage, { resource, fetched }: Seen): Promise<void> {
  await running.hub.store.applyTold(await aTicket(running.owner, 'mercadolibre:1001', resource), fetched)
}

function allOrders(items: readonly number[]): number[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((first) => allOrders(items.filter((one) => one !== first)).map((rest) => [first, ...rest]))
}
