import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startOdooSim } from '../../simulators/odoo-sim/odoo-sim.ts'
import { odooErp } from '../../src/drivers/odoo/erp.ts'
import type { Erp } from '../../src/ports/erp.ts'
import type { ErpWorld, Person } from './erp-world.ts'
import { openWire } from './wire.ts'

const KEY = 'conformance-key'
const HUB = { user: 'hub@example.com', password: 'conformance-password' }
const SKUS = ['CONF-A', 'CONF-B'] as const

/** The simulator of Odoo, worked by people over its admin routes. */
export async function odooSimWorld(version: 14 | 19): Promise<ErpWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'erp-conformance-'))
  const sim = await startOdooSim({ ledgerPath: join(folder, 'ledger.jsonl'), version, login: HUB.user, password: HUB.password, key: KEY })
  const admin = adminOf(sim.url)
  await admin(
    'POST',
    '/products',
    SKUS.map((sku) => ({ default_code: sku, name: sku, price: 10_000, stock: 200 })),
  )
  const wire = await openWire(sim.url)
  const opened: (Erp & { close(): Promise<void> })[] = []
  return {
    skus: SKUS,
    listedMinor: 11_900,
    wire,
    refusesLateCancel: version === 14,
    keepsDemand: version === 14,
    person: personOf(admin),
    async open({ partner = 'Compradores', database = 'odoo', ...rest } = {}) {
      const erp = await odooErp({
        url: wire.url,
        db: database,
        ...HUB,
        ...rest,
        taxMode: { kind: 'price-included-tax', taxId: 2 },
        channelPartners: { mercadolibre: partner },
      })
      opened.push(erp)
      return erp
    },
    async close() {
      await Promise.all(opened.map((erp) => erp.close()))
      await wire.close()
      await sim.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

type Admin = <T = unknown>(method: 'GET' | 'POST', path: string, body?: unknown) => Promise<T>

function adminOf(url: string): Admin {
  return async <T>(method: 'GET' | 'POST', path: string, body?: unknown) => {
    const reply = await fetch(`${url}/admin${path}`, {
      method,
      headers: { 'x-admin-key': KEY, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`)
    return (await reply.json()) as T
  }
}

interface Snapshot {
  state: string
  amount_total: number
  client_order_ref: string | null
  origin: string | null
  note: string | null
  messages: { body: string }[]
  pickings: { state: string; tracking: string | null; demand: { sku: string | null; quantity: number }[] }[]
  lines: { sku: string | null; quantity: number; display_type: string | null }[]
}

function demandOf({ pickings }: Snapshot): Record<string, number> {
  const pieces: Record<string, number> = {}
  for (const { sku, quantity } of pickings.flatMap((picking) => picking.demand)) pieces[sku ?? ''] = (pieces[sku ?? ''] ?? 0) + quantity
  return pieces
}

function personOf(admin: Admin): Person {
  const act = async (id: string, name: string, body: unknown = {}): Promise<void> =>
    void (await admin('POST', `/orders/${id}/${name}`, body))
  return {
    async createOrder({ reference, origin, confirmed, section, lines }) {
      const typed = [...(section === undefined ? [] : [{ sku: null, name: section }]), ...lines]
      const { orders } = await admin<{ orders: { id: number }[] }>('POST', '/orders', {
        ...(reference === undefined ? {} : { client_order_ref: reference }),
        ...(origin === undefined ? {} : { origin }),
        state: confirmed ? 'sale' : 'draft',
        lines: typed,
      })
      return String(orders[0]?.id)
    },
    confirm: (id) => act(id, 'confirm'),
    cancel: (id) => act(id, 'cancel'),
    deliver: (id) => act(id, 'deliver'),
    remove: (id) => act(id, 'delete'),
    touch: (id) => act(id, 'touch'),
    setQuantity: (id, sku, quantity) => act(id, 'edit', { lines: [{ sku, quantity }] }),
    setTracking: (id, tracking) => act(id, 'tracking', { tracking }),
    setStock: async (sku, quantity) => void (await admin('POST', '/stock', { sku, quantity })),
    async holdWrite(id) {
      const { id: transaction } = await admin<{ id: number }>('POST', '/transactions', {})
      await act(id, 'touch', { transaction })
      return { commit: async () => void (await admin('POST', `/transactions/${transaction}/commit`, {})) }
    },
    async see(id) {
      const order = await admin<Snapshot>('GET', `/orders/${id}`)
      return {
        state: order.state,
        totalMinor: order.amount_total,
        reference: order.client_order_ref ?? '',
        origin: order.origin ?? '',
        note: order.note ?? '',
        messages: order.messages.map((message) => message.body),
        pickings: order.pickings.map(({ state, tracking }) => ({ state, tracking: tracking ?? '' })),
        lines: order.lines.filter((line) => line.display_type === null).map(({ sku, quantity }) => ({ sku: sku ?? '', quantity })),
        toDeliver: demandOf(order),
      }
    },
    async countByReference(reference) {
      const query = `client_order_ref=${encodeURIComponent(reference)}`
      return (await admin<{ orders: unknown[] }>('GET', `/orders?${query}`)).orders.length
    },
  }
}
