import { z } from 'zod'
import { PEOPLE, PRODUCTS } from './catalogue.ts'
import { seededRandom } from './seeded-random.ts'
import { sideBySide, type SimulatorApi } from './simulator-api.ts'

const PATHS = [
  ['accepted'],
  ['accepted', 'ready_to_ship'],
  ['accepted', 'ready_to_ship', 'shipped'],
  ['accepted', 'ready_to_ship', 'shipped', 'delivered'],
  ['accepted', 'cancelled'],
] as const

export interface PlannedParisOrder {
  /** `PARIS-50001`: what a person types, and what tells a later run that the order is there. */
  external_ref: string
  buyer: string
  items: { sku: string; qty: number }[]
  /** Statuses that Paris reports of it, in order. */
  path: readonly string[]
}

/** The orders that are born at Paris on the Monday. */
export function plannedParisOrders(count: number): PlannedParisOrder[] {
  const random = seededRandom(909)
  return Array.from({ length: count }, (_, at) => {
    const products = [...new Set(Array.from({ length: random.pick([1, 1, 2, 2, 3]) }, () => random.pick(PRODUCTS)))]
    return {
      external_ref: `PARIS-${50_001 + at}`,
      buyer: random.pick(PEOPLE).name,
      items: products.map((p) => ({ sku: p.default_code, qty: random.pick([1, 1, 1, 2]) })),
      path: PATHS[at % 19 === 11 ? 4 : random.pick([0, 1, 1, 2, 2, 3])] ?? PATHS[0],
    }
  })
}

const ParisOrders = z.array(z.object({ id: z.string(), external_ref: z.string().nullable(), status: z.string() }))
export type ParisListing = z.infer<typeof ParisOrders>
const PAGE = 200

export async function listParisOrders(api: SimulatorApi): Promise<ParisListing> {
  const all: ParisListing = []
  for (let page: ParisListing = [], first = true; first || page.length === PAGE; first = false) {
    page = await api.ask(ParisOrders, { on: 'paris-mock', method: 'GET', path: `/orders?limit=${PAGE}&offset=${all.length}` })
    all.push(...page)
  }
  return all
}

/** The one with this reference; undefined when Paris shows none. */
export async function findParisOrder(api: SimulatorApi, reference: string): Promise<ParisListing[number] | undefined> {
  return (await api.ask(ParisOrders, { on: 'paris-mock', method: 'GET', path: `/orders?external_ref=${reference}` }))[0]
}

/** Creates the missing ones, then lets Paris report what has not been reported. Answers how many are new. */
export async function seedParisOrders(
  api: SimulatorApi,
  planned: readonly PlannedParisOrder[],
  how: { known: ParisListing; progress(done: number): void },
): Promise<number> {
  const known = new Map(how.known.map((order) => [order.external_ref, order]))
  let created = 0
  let done = 0
  await sideBySide(planned, 6, async (order) => {
    const there = known.get(order.external_ref) ?? (await createParisOrder(api, order))
    if (!known.has(order.external_ref)) created += 1
    // A status that is not on the path was set by somebody later: then nothing is left to report.
    const from = there.status === 'created' ? 0 : order.path.indexOf(there.status) + 1 || order.path.length
    for (const status of order.path.slice(from)) await emitParis(api, there.id, status)
    done += 1
    if (done % 50 === 0 || done === planned.length) how.progress(done)
  })
  return created
}

export async function createParisOrder(
  api: SimulatorApi,
  { external_ref, buyer, items }: Pick<PlannedParisOrder, 'external_ref' | 'buyer' | 'items'>,
): Promise<ParisListing[number]> {
  const body = { external_ref, buyer, items }
  return api.ask(ParisOrders.element, { on: 'paris-mock', method: 'POST', path: '/admin/orders', body })
}

/** The order takes a status and Paris posts its webhook. */
export async function emitParis(api: SimulatorApi, id: string, status: string): Promise<void> {
  await api.text({ on: 'paris-mock', method: 'POST', path: `/admin/orders/${id}/emit-webhook`, body: { status } })
}
