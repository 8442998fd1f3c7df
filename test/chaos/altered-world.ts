import { setTimeout as wait } from 'node:timers/promises'
import { HUB_YAML, type RunningHub, startHub, until } from '../support/running-hub.ts'
import { type AuditReport, audit } from './auditor/audit.ts'
import { reportText } from './auditor/report.ts'
import type { Bought, ErpMade } from './made.ts'

/** A small world in which every order is where it belongs, and where nobody tells the hub anything any more. */
export interface AlteredWorld {
  running: RunningHub
  /** Orders that nobody altered yet, by how they came to be. */
  fresh: { erpToMeli: ErpMade[]; erpToParis: ErpMade[]; meliSales: Bought[]; parisSales: { id: string }[] }
  check(quietSeconds?: number): Promise<AuditReport>
  /** The target's id of a binding. */
  targetOf(channel: string, reference: string): Promise<string>
  /** Changes an order at meli-sim as its seller would; what is not named stays as the ERP has it. */
  putToMeli(order: ErpMade, change: Record<string, unknown>): Promise<void>
}

const WORLD = { erpToMeli: 19, erpToParis: 9, meliSales: 12, parisSales: 6 }
export const LINES = [
  { sku: 'SKU-001', quantity: 2, price: 10_000 },
  { sku: 'SKU-004', quantity: 1, price: 5_000 },
]

export async function startAlteredWorld(): Promise<AlteredWorld> {
  // Paris would be read whole every second, and the last events of it would wait when the hub is halted.
  const running = await startHub({ yaml: HUB_YAML.replace('compareAfterSeconds: 1\n', 'compareAfterSeconds: 3600\n') })
  const check = (quietSeconds = 0): Promise<AuditReport> =>
    audit({
      databaseUrl: running.database.migratorUrl,
      ledgers: running.ledgers,
      hubFile: `${running.home}/hub.yaml`,
      incidents: null,
      quietSeconds,
    })
  const fresh = await fill(running)
  await untilConsistent(check)
  await running.halt()
  await running.meli('PUT', '/admin/callback', { url: null })
  const granted = (await running.meli('POST', '/admin/accounts/1001/grant', {})) as { access_token: string }
  const targetOf = async (channel: string, reference: string): Promise<string> => {
    const sql = `SELECT external_id FROM binding WHERE channel = $1 AND reference = $2`
    return (await running.owner.query<{ external_id: string }>(sql, [channel, reference])).rows[0]?.external_id ?? ''
  }
  return {
    running,
    fresh,
    check,
    targetOf,
    async putToMeli(order, change) {
      const id = await targetOf('mercadolibre:1001', `odoo-${order.id}`)
      await putOrder(`${running.hub.config.mercadolibre.apiBase}/orders/${id}`, granted.access_token, {
        ...asTheErpHasIt(order),
        ...change,
      })
    },
  }
}

async function untilConsistent(check: () => Promise<AuditReport>): Promise<void> {
  const isConsistent = async (): Promise<boolean> => {
    // The audit runs in the hub's own process: asked without a pause it would hold up what it waits for.
    await wait(1_000)
    const { breaches, checked } = await check()
    const isWhole =
      checked.erpToMarketplace === WORLD.erpToMeli + WORLD.erpToParis && checked.marketplaceToErp === WORLD.meliSales + WORLD.parisSales
    return isWhole && breaches.length === 0
  }
  try {
    await until(isConsistent, 180_000)
  } catch (error) {
    throw new Error(`the world never came to rest:\n${reportText(await check())}`, { cause: error })
  }
}

async function fill(running: RunningHub): Promise<AlteredWorld['fresh']> {
  const inErp = async (team: string, count: number): Promise<ErpMade[]> => {
    const body = { state: 'sale', team, count, partner: 'María Pérez', lines: LINES }
    return ((await running.odoo('POST', '/admin/orders', body)) as { orders: ErpMade[] }).orders
  }
  const fresh: AlteredWorld['fresh'] = {
    erpToMeli: await inErp('MercadoLibre', WORLD.erpToMeli),
    erpToParis: await inErp('Paris', WORLD.erpToParis),
    meliSales: [],
    parisSales: [],
  }
  await inErp('Web', 2) // routed nowhere
  for (let i = 0; i < WORLD.meliSales; i++) {
    const body = { seller: 1001, items: [{ sku: 'SKU-002', quantity: 2, unit_price: 15_990 }], pack: i % 2 === 0 }
    fresh.meliSales.push((await running.meli('POST', '/admin/purchases', body)) as Bought)
  }
  for (let i = 0; i < WORLD.parisSales; i++) {
    const body = { buyer: 'Comprador', items: [{ sku: 'SKU-003', qty: 2 }] }
    fresh.parisSales.push((await running.paris('POST', '/admin/orders', body)) as { id: string })
  }
  return fresh
}

function asTheErpHasIt(order: ErpMade): Record<string, unknown> {
  return {
    external_reference: `odoo-${order.id}`,
    currency_id: 'CLP',
    total_amount: 29_750,
    order_items: [
      { seller_sku: 'SKU-001', quantity: 2, unit_price: 11_900 },
      { seller_sku: 'SKU-004', quantity: 1, unit_price: 5_950 },
    ],
  }
}

async function putOrder(url: string, token: string, body: unknown): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const reply = await fetch(url, { method: 'PUT', headers, body: JSON.stringify(body) })
  if (!reply.ok) throw new Error(`PUT ${url} answered ${reply.status}: ${await reply.text()}`)
}
