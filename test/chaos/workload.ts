import { seeded } from './plan.ts'
import type { Stage } from './stage.ts'

/** One thing that people or other systems do. Numbers point at what was made before, counted around. */
export type Act =
  | { act: 'erp-order'; team: 'MercadoLibre' | 'Paris' | 'Web'; sku: string; quantity: number; price: number }
  | { act: 'erp-amend'; of: number; quantity: number }
  | { act: 'erp-cancel'; of: number }
  | { act: 'erp-hand-edit'; of: number }
  | { act: 'purchase'; seller: 1001 | 1002; pack: boolean; sku: string; quantity: number; price: number; told: boolean }
  | { act: 'late-sibling'; of: number; price: number }
  | { act: 'sale-shipped'; of: number }
  | { act: 'sale-cancelled'; of: number }
  | { act: 'sale-returned'; of: number }
  | { act: 'paris-sale'; sku: string; quantity: number }
  | { act: 'paris-shipped'; of: number }

export interface Made {
  erp: { id: number; name: string; team: string; cancelled: boolean }[]
  purchases: { order_ids: number[]; pack_id: number | null; shipment_id: number; seller: number; pack: boolean; ended: boolean }[]
  paris: { id: string }[]
}

export interface WorkloadSize {
  erp: number
  purchases: number
  paris: number
  /** Amendments, cancellations, hand edits, siblings, shipments, returns: how many. */
  changes: number
}

export const SMALL: WorkloadSize = { erp: 6, purchases: 3, paris: 2, changes: 0 }
const SKUS = ['SKU-001', 'SKU-002', 'SKU-003', 'SKU-004', 'SKU-005']

/** What happens in a run: the same for the same seed. First what is made, then what changes it. */
export function workloadOf(seed: number, size: WorkloadSize): Act[] {
  const random = seeded(seed)
  const up = (n: number): number => 1 + Math.floor(random() * n)
  const sku = (): string => SKUS[Math.floor(random() * SKUS.length)] ?? 'SKU-001'
  const price = (): number => 1_000 * up(9)
  const made: Act[] = [
    ...times(
      size.erp,
      (i): Act => ({ act: 'erp-order', team: i % 2 ? 'Paris' : 'MercadoLibre', sku: sku(), quantity: up(3), price: price() }),
    ),
    ...times(size.purchases, (i): Act => {
      const seller = random() < 0.7 ? 1001 : 1002
      return { act: 'purchase', seller, pack: i % 2 === seed % 2, sku: sku(), quantity: up(3), price: price(), told: random() < 0.9 }
    }),
    ...times(size.paris, (): Act => ({ act: 'paris-sale', sku: sku(), quantity: up(3) })),
  ]
  const kinds = [
    'erp-amend',
    'erp-cancel',
    'erp-hand-edit',
    'late-sibling',
    'sale-shipped',
    'sale-cancelled',
    'sale-returned',
    'paris-shipped',
  ]
  const changes = times(size.changes, (): Act => {
    const act = kinds[Math.floor(random() * kinds.length)]
    return { act, of: Math.floor(random() * 1_000), quantity: up(5), price: price() } as Act
  })
  return [...shuffled(made, random), ...changes]
}

function times<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i))
}

function shuffled<T>(items: T[], random: () => number): T[] {
  const keyed = items.map((item) => ({ item, key: random() }))
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item)
}

export function nothingMade(): Made {
  return { erp: [], purchases: [], paris: [] }
}

/** Orders that the auditor must find on both sides. */
export function expectedOf(made: Made): { erpToMarketplace: number; marketplaceToErp: number } {
  return {
    erpToMarketplace: made.erp.filter((order) => order.team !== 'Web').length,
    marketplaceToErp: made.purchases.length + made.paris.length,
  }
}

/** Does the acts one after the other; what has nothing to work on is left out. */
export async function perform(stage: Stage, acts: readonly Act[], made: Made = nothingMade()): Promise<Made> {
  for (const act of acts) await performOne(stage, act, made)
  return made
}

async function performOne({ running }: Stage, act: Act, made: Made): Promise<void> {
  switch (act.act) {
    case 'erp-order': {
      const lines = [{ sku: act.sku, quantity: act.quantity, price: act.price }]
      const body = { state: 'sale', team: act.team, partner: 'María Pérez', lines }
      const { orders } = (await running.odoo('POST', '/admin/orders', body)) as { orders: { id: number; name: string }[] }
      for (const order of orders) made.erp.push({ ...order, team: act.team, cancelled: false })
      return
    }
    case 'purchase': {
      const items = [{ sku: act.sku, quantity: act.quantity, unit_price: act.price }]
      const body = { seller: act.seller, items, pack: act.pack, ...(act.told ? {} : { no_notify: true }) }
      const bought = (await running.meli('POST', '/admin/purchases', body)) as Made['purchases'][number]
      made.purchases.push({ ...bought, seller: act.seller, pack: act.pack, ended: false })
      return
    }
    case 'paris-sale': {
      const body = { buyer: 'Comprador', items: [{ sku: act.sku, qty: act.quantity }] }
      made.paris.push((await running.paris('POST', '/admin/orders', body)) as { id: string })
      return
    }
    case 'paris-shipped': {
      const sale = pick(made.paris, act.of)
      if (sale) await running.paris('POST', `/admin/orders/${sale.id}/emit-webhook`, { status: 'shipped' })
      return
    }
    default:
      await (act.act.startsWith('erp') ? changeInErp(running, act, made) : changeSale(running, act, made))
  }
}

async function changeInErp(running: Stage['running'], act: Act, made: Made): Promise<void> {
  const order = pick(
    made.erp.filter((one) => !one.cancelled),
    'of' in act ? act.of : 0,
  )
  if (!order) return
  const path = `/admin/orders/${order.id}`
  if (act.act === 'erp-amend') {
    const { lines } = (await running.odoo('GET', path)) as { lines: { sku: string }[] }
    await running.odoo('POST', `${path}/edit`, { lines: [{ sku: lines[0]?.sku, quantity: act.quantity }] })
  } else if (act.act === 'erp-hand-edit') {
    await running.odoo('POST', `${path}/edit`, { fields: { note: 'called the customer' } })
  } else if (act.act === 'erp-cancel') {
    order.cancelled = true
    await running.odoo('POST', `${path}/cancel`)
  }
}

async function changeSale({ meli }: Stage['running'], act: Act, made: Made): Promise<void> {
  const open = made.purchases.filter((one) => !one.ended && (act.act !== 'late-sibling' || one.pack))
  const sale = pick(open, 'of' in act ? act.of : 0)
  if (!sale) return
  if (act.act === 'late-sibling') {
    const item = { sku: 'SKU-003', quantity: 1, unit_price: act.price }
    await meli('POST', `/admin/packs/${sale.pack_id}/add-order`, item)
    return
  }
  if (act.act === 'sale-cancelled') {
    sale.ended = true
    for (const id of sale.order_ids) await meli('POST', `/admin/orders/${id}/status`, { status: 'cancelled' })
    return
  }
  await meli('POST', `/admin/shipments/${sale.shipment_id}/status`, { status: 'shipped', tracking_number: `CL${sale.shipment_id}` })
  sale.ended = true
  if (act.act === 'sale-returned') await meli('POST', `/admin/shipments/${sale.shipment_id}/status`, { status: 'not_delivered' })
}

function pick<T>(items: readonly T[], at: number): T | undefined {
  return items.length === 0 ? undefined : items[at % items.length]
}
