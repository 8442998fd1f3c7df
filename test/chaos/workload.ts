import { atDesk, replayed } from './operator.ts'
import { seeded } from './plan.ts'
import type { Stage } from './stage.ts'

/** One thing that people or other systems do. Numbers point at what was made before, counted around. */
export type Act =
  | { act: 'erp-order'; team: 'MercadoLibre' | 'Paris' | 'Web'; sku: string; quantity: number; price: number }
  | { act: 'erp-amend'; of: number; quantity: number }
  | { act: 'erp-cancel'; of: number }
  | { act: 'erp-hand-edit'; of: number }
  /** A person writes on the ERP's copy of a sale, which the hub made. */
  | { act: 'copy-hand-edit'; of: number }
  | { act: 'purchase'; seller: 1001 | 1002; pack: boolean; sku: string; quantity: number; price: number; told: boolean }
  | { act: 'late-sibling'; of: number; price: number }
  | { act: 'sale-shipped'; of: number }
  | { act: 'sale-cancelled'; of: number }
  | { act: 'sale-returned'; of: number }
  | { act: 'paris-sale'; sku: string; quantity: number }
  | { act: 'paris-shipped'; of: number }
  /** A notification of a sale that was told of already, sent a day ago. */
  | { act: 'day-old-notification'; of: number }
  /** An operator replays a delivery; number 0 is a dead one where there is one. */
  | { act: 'replay'; of: number }

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
  const changes = times(size.changes, (): Act => {
    const act = CHANGES[Math.floor(random() * CHANGES.length)]
    return { act, of: Math.floor(random() * 1_000), quantity: up(5), price: price() } as Act
  })
  return [...shuffled(made, random), ...changes]
}

const CHANGES: readonly Act['act'][] = [
  'erp-amend',
  'erp-cancel',
  'erp-hand-edit',
  'copy-hand-edit',
  'late-sibling',
  'sale-shipped',
  'sale-cancelled',
  'sale-returned',
  'paris-shipped',
  'day-old-notification',
  'replay',
]
const SALE_ENDS: readonly Act['act'][] = ['sale-shipped', 'sale-cancelled', 'sale-returned']

/** What befalls orders that are known everywhere: every one of them changes, so that each system gets at least `size` of its kind to do. */
export function changesOf(seed: number, size: WorkloadSize): Act[] {
  const random = seeded(seed)
  const acts: unknown[] = [
    ...times(size.erp, (of) => ({ act: 'erp-amend', of, quantity: 4 + Math.floor(random() * 5) })),
    ...times(size.purchases, (at) => ({ act: SALE_ENDS[(seed + at) % SALE_ENDS.length], of: 0 })),
    ...times(size.paris, (of) => ({ act: 'paris-shipped', of })),
    { act: 'late-sibling', of: 0, price: 3_000 },
    { act: 'erp-hand-edit', of: 0 },
    ...times(2, (of) => ({ act: 'copy-hand-edit', of })),
    ...times(2, (of) => ({ act: 'day-old-notification', of })),
    { act: 'replay', of: 0 },
  ]
  // Last: what is cancelled is amended no more, and numbers would point elsewhere.
  const cancelled = times(Math.floor(size.erp / 3), (of): Act => ({ act: 'erp-cancel', of }))
  return [...shuffled(acts as Act[], random), ...cancelled]
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

async function performOne(stage: Stage, act: Act, made: Made): Promise<void> {
  const { running } = stage
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
    case 'copy-hand-edit':
      return editCopy(running, act.of)
    case 'day-old-notification':
      return tellAgain(running, pick(made.purchases, act.of))
    case 'replay':
      return replay(stage, act.of)
    default:
      await (act.act.startsWith('erp') ? changeInErp(running, act, made) : changeSale(running, act, made))
  }
}

async function editCopy({ odoo, owner }: Stage['running'], of: number): Promise<void> {
  const { rows } = await owner.query<{ id: string }>(
    `SELECT external_id AS id FROM binding WHERE channel = 'odoo' AND kind = 'order' AND external_id IS NOT NULL ORDER BY id`,
  )
  const copy = pick(rows, of)
  if (copy) await odoo('POST', `/admin/orders/${copy.id}/edit`, { fields: { note: 'leave it with the neighbour' } })
}

const DAY_MS = 86_400_000

async function tellAgain({ meli, hub }: Stage['running'], sale: Made['purchases'][number] | undefined): Promise<void> {
  if (!sale) return
  const sent = new Date(Date.now() - DAY_MS).toISOString()
  const about = { topic: 'orders_v2', resource: `/orders/${sale.order_ids[0]}`, user_id: sale.seller }
  const appId = Number(hub.config.mercadolibre.clientId)
  const body = { ...about, _id: `late-${sale.order_ids[0]}`, application_id: appId, attempts: 7, sent, received: sent }
  // Refused while nobody is subscribed: then there is nothing to be told.
  await meli('POST', '/admin/notifications', { ...about, body }).catch(() => {})
}

async function replay(stage: Stage, of: number): Promise<void> {
  const { rows } = await stage.running.owner.query<{ id: string }>(
    `SELECT id FROM delivery WHERE kind = 'order' ORDER BY state = 'dead' DESC, id LIMIT 20`,
  )
  const delivery = pick(rows, of)
  if (delivery) await atDesk(stage, (desk) => replayed(desk, `outbox-${delivery.id}`))
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
