import { z } from 'zod'
import { PEOPLE, PRODUCTS, SPECIAL_PRODUCTS } from './catalogue.ts'
import { seededRandom } from './seeded-random.ts'
import { sideBySide, type SimulatorApi } from './simulator-api.ts'

interface ErpOrder {
  /** `LUN-0042`: the source document that tells a later run that the order is there. */
  origin: string
  client_order_ref?: string
  partner: string
  team: string | null
  tags: string[]
  lines: { sku: string; quantity: number; price: number; tax: number[] }[]
  state: 'sale'
}

/** What a person does with the order later that morning. */
type Fate = 'stays' | 'amended' | 'dispatched' | 'cancelled'

export interface PlannedErpOrder {
  order: ErpOrder
  fate: Fate
}

/** Odoo's tax that is included in the price; so a total is the sum of its gross prices. */
export const INCLUDED_TAX = [2]
const BATCH = 50
const STOCK = 2_000

/** The ERP orders of the Monday: always the same ones. */
export function plannedErpOrders(count: number): PlannedErpOrder[] {
  const random = seededRandom(2026)
  return Array.from({ length: count }, (_, at) => {
    const number = String(at + 1).padStart(4, '0')
    const products = [...new Set(Array.from({ length: random.pick([1, 1, 1, 2, 2, 3, 4]) }, () => random.pick(PRODUCTS)))]
    const draw = random.next()
    const order: ErpOrder = {
      origin: `LUN-${number}`,
      partner: random.pick(PEOPLE).name,
      ...routeOf(draw),
      lines: products.map((product) => ({
        sku: product.default_code,
        quantity: random.pick([1, 1, 1, 1, 2, 2, 3]),
        price: product.price,
        tax: INCLUDED_TAX,
      })),
      state: 'sale',
    }
    if (random.next() < 0.6) order.client_order_ref = `OC-2026${number}`
    return { order, fate: fateOf(at, order) }
  })
}

// Half to the official store, a few to the outlet account, a third to Paris, and some to all of them: no rule names them.
function routeOf(draw: number): { team: string | null; tags: string[] } {
  if (draw < 0.54) return { team: 'MercadoLibre', tags: [] }
  if (draw < 0.64) return { team: 'MercadoLibre', tags: ['Outlet'] }
  return draw < 0.96 ? { team: 'Paris', tags: [] } : { team: null, tags: [] }
}

function fateOf(at: number, { team }: ErpOrder): Fate {
  if (at % 40 === 7) return 'cancelled'
  if (at % 25 === 3) return 'amended'
  // What stands at several marketplaces leaves with the carrier of none.
  return at % 12 === 5 && team !== null ? 'dispatched' : 'stays'
}

const Listed = z.object({
  orders: z.array(z.object({ id: z.number(), origin: z.string().nullable(), client_order_ref: z.string().nullable() })),
})
const Created = z.object({ orders: z.array(z.object({ id: z.number() })) })
export type ErpListing = z.infer<typeof Listed>['orders']

export async function listErpOrders(api: SimulatorApi): Promise<ErpListing> {
  return (await api.ask(Listed, { on: 'odoo-sim', method: 'GET', path: '/admin/orders?limit=1000000' })).orders
}

/** Products with stock and people, known ones changed; nothing when orders of this Monday are there already. */
export async function seedMasterData(api: SimulatorApi): Promise<void> {
  const products = [...PRODUCTS, ...SPECIAL_PRODUCTS].map((product) => ({ ...product, stock: STOCK }))
  await api.text({ on: 'odoo-sim', method: 'POST', path: '/admin/products', body: products })
  await api.text({ on: 'odoo-sim', method: 'POST', path: '/admin/partners', body: PEOPLE.map((person) => ({ ...person })) })
}

/** Types the missing orders in, then amends and cancels the new ones as their fate says (`dispatchOrders` does the rest). Answers how many are new. */
export async function seedErpOrders(
  api: SimulatorApi,
  planned: readonly PlannedErpOrder[],
  how: { known: ErpListing; progress(done: number): void },
): Promise<number> {
  const known = new Set(how.known.map((order) => order.origin))
  const missing = planned.filter(({ order }) => !known.has(order.origin))
  for (let at = 0; at < missing.length; at += BATCH) {
    const batch = missing.slice(at, at + BATCH)
    const { orders } = await api.ask(Created, {
      on: 'odoo-sim',
      method: 'POST',
      path: '/admin/orders',
      body: batch.map(({ order }) => ({ ...order, lines: order.lines.map((line) => ({ ...line })) })),
    })
    await sideBySide([...orders.entries()], 6, ([index, { id }]) => liveOn(api, id, batch[index]))
    how.progress(planned.length - missing.length + at + batch.length)
  }
  return missing.length
}

async function liveOn(api: SimulatorApi, id: number, planned: PlannedErpOrder | undefined): Promise<void> {
  const act = (name: string, body: z.infer<ReturnType<typeof z.json>>): Promise<string> =>
    api.text({ on: 'odoo-sim', method: 'POST', path: `/admin/orders/${id}/${name}`, body })
  switch (planned?.fate) {
    case 'cancelled':
      return void (await act('cancel', {}))
    case 'amended': {
      const [line] = planned.order.lines
      return void (line && (await act('edit', { lines: [{ sku: line.sku, quantity: line.quantity + 1 }] })))
    }
    default:
  }
}
