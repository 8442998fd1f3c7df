import { z } from 'zod'
import { PEOPLE, PRODUCTS } from './catalogue.ts'
import { seededRandom } from './seeded-random.ts'
import { sideBySide, type SimulatorApi } from './simulator-api.ts'

const STAGES = ['handling', 'ready_to_ship', 'shipped', 'delivered'] as const
type Stage = (typeof STAGES)[number]

export interface PlannedPurchase {
  /** Nobody else's: it tells a later run that the purchase is there. */
  nickname: string
  seller: number
  items: { sku: string; quantity: number; unit_price: number }[]
  /** How far its shipment comes; null: the buyer cancels. */
  stage: Stage | null
}

/** The purchases of the Monday over the connected sellers, the first of which sells four of five. */
export function plannedPurchases(count: number, sellers: readonly number[]): PlannedPurchase[] {
  const random = seededRandom(1_111)
  const [first = 0, ...others] = sellers
  return Array.from({ length: count }, (_, at) => {
    const products = [...new Set(Array.from({ length: random.pick([1, 1, 1, 1, 2, 2, 3]) }, () => random.pick(PRODUCTS)))]
    return {
      nickname: `${nickOf(random.pick(PEOPLE).name)}_L${String(at + 1).padStart(4, '0')}`,
      seller: others.length > 0 && random.next() < 0.2 ? random.pick(others) : first,
      items: products.map((p) => ({ sku: p.default_code, quantity: random.pick([1, 1, 1, 2, 3]), unit_price: p.price })),
      stage: at % 17 === 9 ? null : random.pick(['handling', 'ready_to_ship', 'ready_to_ship', 'shipped', 'shipped', 'delivered']),
    }
  })
}

/** As sellers see a buyer: capital letters, no accents. */
export function nickOf(name: string): string {
  return name
    .split(' ')
    .slice(0, 2)
    .join('.')
    .normalize('NFD')
    .replace(/[^A-Za-z.]/g, '')
    .toUpperCase()
}

const Listed = z.object({
  orders: z.array(
    z.object({
      id: z.number(),
      nickname: z.string(),
      status: z.string(),
      shipment_id: z.number().nullable(),
      shipment_status: z.string().nullable(),
    }),
  ),
})
export type MeliListing = z.infer<typeof Listed>['orders']

export async function listMeliOrders(api: SimulatorApi, query = ''): Promise<MeliListing> {
  return (await api.ask(Listed, { on: 'meli-sim', method: 'GET', path: `/admin/orders${query}` })).orders
}

/** Checks the missing ones out, then advances every shipment to its stage, step by step. Answers how many are new. */
export async function seedPurchases(
  api: SimulatorApi,
  planned: readonly PlannedPurchase[],
  how: { known: MeliListing; progress(done: number): void },
): Promise<number> {
  const known = new Set(how.known.map((order) => order.nickname))
  const missing = planned.filter(({ nickname }) => !known.has(nickname))
  let done = planned.length - missing.length
  await sideBySide(missing, 8, async ({ nickname, seller, items }) => {
    const shipping = { mode: 'me2', logistic_type: 'drop_off', status: 'handling', substatus: null }
    await api.text({ on: 'meli-sim', method: 'POST', path: '/admin/purchases', body: { seller, buyer: { nickname }, items, shipping } })
    done += 1
    if (done % 50 === 0 || done === planned.length) how.progress(done)
  })
  await advance(api, planned)
  return missing.length
}

// Round by round over all of them, as a warehouse works: packed, handed over, delivered.
async function advance(api: SimulatorApi, planned: readonly PlannedPurchase[]): Promise<void> {
  const byNickname = Map.groupBy(await listMeliOrders(api), (order) => order.nickname)
  const orders = planned.map((purchase) => ({ purchase, orders: byNickname.get(purchase.nickname) ?? [] }))
  for (const [at, stage] of STAGES.entries()) {
    const due = orders.flatMap(({ purchase, orders: [order] }) => {
      if (purchase.stage === null || !order?.shipment_id || order.status === 'cancelled') return []
      const reached = STAGES.findIndex((one) => one === order.shipment_status)
      return reached >= 0 && reached < at && at <= STAGES.indexOf(purchase.stage) ? [order.shipment_id] : []
    })
    await sideBySide(due, 8, (id) => moveShipment(api, id, stage))
  }
  const regretted = orders.flatMap(({ purchase, orders: all }) => (purchase.stage === null ? all.filter((o) => o.status === 'paid') : []))
  await sideBySide(regretted, 8, ({ id }) => cancelPurchase(api, id))
}

export async function moveShipment(api: SimulatorApi, id: number, stage: string): Promise<void> {
  const substatus = stage === 'ready_to_ship' ? 'ready_to_print' : null
  const tracking = stage === 'shipped' ? { tracking_number: `MLCL${String(id).slice(-9)}`, tracking_method: 'Despacho a domicilio' } : {}
  await api.text({
    on: 'meli-sim',
    method: 'POST',
    path: `/admin/shipments/${id}/status`,
    body: { status: stage, substatus, ...tracking },
  })
}

export async function cancelPurchase(api: SimulatorApi, id: number): Promise<void> {
  const cancel_detail = { group: 'buyer', code: 'buyer_cancel_express', description: 'El comprador se arrepintió', requested_by: 'buyer' }
  await api.text({ on: 'meli-sim', method: 'POST', path: `/admin/orders/${id}/status`, body: { status: 'cancelled', cancel_detail } })
}
