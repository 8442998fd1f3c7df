import { writeFile } from 'node:fs/promises'
import type { Expected } from '../judge.ts'
import type { ErpMade } from '../made.ts'
import type { Stage } from '../stage.ts'

/** An order that cannot reach its target, told to the auditor beforehand: it answers for what the order lacks, and for nothing else. */
export interface Declared {
  reference: string
  cause: string
  state: 'dead' | 'pending' | 'quarantined'
  channel: string
  /** Of an order that was bought there; it counts as one from marketplace to ERP. */
  soldAt?: string
}

/** An order whose SKU its marketplace does not know. */
export async function refusedOrder(stage: Stage): Promise<Declared> {
  await stage.running.meli('POST', '/admin/unknown-skus', { skus: ['SKU-009'] })
  const { name } = await erpOrder(stage, { lines: [{ sku: 'SKU-009', quantity: 1, price: 5_000 }] })
  return { reference: name, cause: 'sku-unknown', state: 'dead', channel: 'mercadolibre:1001' }
}

/** A confirmed order of one piece for MercadoLibre, unless said otherwise. */
export async function erpOrder({ running }: Stage, body: Record<string, unknown> = {}): Promise<ErpMade> {
  const order = { state: 'sale', team: 'MercadoLibre', partner: 'María Pérez', lines: [{ sku: 'SKU-001', quantity: 1, price: 5_000 }] }
  const { orders } = (await running.odoo('POST', '/admin/orders', { ...order, ...body })) as { orders: ErpMade[] }
  const [made] = orders
  if (!made) throw new Error('odoo-sim made no order')
  return made
}

/** Adds declared orders to what the auditor must find. */
export async function withIncidents({ running }: Stage, expected: Expected, declared: readonly Declared[]): Promise<Expected> {
  if (declared.length === 0) return expected
  const incidents = `${running.home}/incidents.json`
  const lines = declared.map(({ reference, soldAt = 'odoo', ...rest }) => ({ reference, system: soldAt, declared: rest }))
  await writeFile(incidents, JSON.stringify(lines))
  const sold = declared.filter((one) => one.soldAt !== undefined).length
  return {
    ...expected,
    erpToMarketplace: expected.erpToMarketplace + declared.length - sold,
    marketplaceToErp: expected.marketplaceToErp + sold,
    incidents,
  }
}
