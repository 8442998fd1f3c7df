import type { Capabilities } from '../../core/channel.ts'
import type { Step } from '../../core/delivery.ts'
import type { DesiredOrder } from '../../core/desired.ts'
import { IntegrationError } from '../../core/integration-error.ts'
import type { Fulfilment } from '../../core/order.ts'
import type { IsLate, Sent, Shown, ShownContent } from '../../ports/target.ts'
import { digits, getOrder, getPack, getShipment, type Reads } from './calls.ts'
import type { MeliClient } from './client.ts'
import type { MeliOrder } from './order.ts'
import { fulfilmentOf, type StatusMap } from './status-map.ts'

/** What a seller who ships by himself (ME1) may report, with the substatus that the vendor wants beside it; `"null"` is a text there. */
const REPORTED: Partial<Record<Fulfilment, { status: string; substatus: string }>> = {
  shipped: { status: 'shipped', substatus: 'null' },
  delivered: { status: 'delivered', substatus: 'null' },
  not_delivered: { status: 'not_delivered', substatus: 'returning_to_sender' },
}
/** A shipment that stands here never changes again. */
const FINAL: ReadonlySet<string> = new Set(['delivered', 'not_delivered', 'cancelled'])
/** Id of the ME1 service by site (documented). */
const SERVICES: Readonly<Record<string, number>> = {
  MLC: 282578,
  MCO: 282579,
  MLA: 154,
  MLB: 11,
  MLM: 231876,
  MLU: 282604,
  MPE: 361180,
}

export const reports = ({ fulfilment }: DesiredOrder): boolean => fulfilment !== null && REPORTED[fulfilment] !== undefined

/** The shipment of an order as the next step and the report need it; `shipmentId` null where there is none (yet). */
export async function shipmentFacts(
  reads: Reads,
  order: MeliOrder,
  statuses: StatusMap,
): Promise<Pick<ShownContent, 'fulfilment' | 'extra'>> {
  return factsOf(reads, { id: order.shipping?.id ?? null, site: siteOf(order) }, statuses)
}

/** A sale of the marketplace's own, by the key that the hub knows it by: an order, or a pack. */
export async function lookUpOwnSale(reads: Reads, orderKey: string, statuses: StatusMap): Promise<Shown> {
  const sale = await ownSale(reads, orderKey)
  if (!sale) return { kind: 'absent' }
  const { fulfilment, extra } = await factsOf(reads, sale, statuses)
  // What the marketplace says of its own sale is compared nowhere: it is the origin.
  return {
    kind: 'found',
    externalId: orderKey,
    content: { lifecycle: null, fulfilment, currency: null, totalMinor: null, lines: [], extra },
  }
}

async function ownSale(reads: Reads, orderKey: string): Promise<{ id: string | null; site: string } | null> {
  const order = await orNull(() => getOrder(reads, orderKey))
  if (order) return { id: order.order.shipping?.id ?? null, site: siteOf(order.order) }
  const pack = await orNull(() => getPack(reads, orderKey))
  const first = pack?.orders[0]
  if (!pack || !first) return null
  const { order: sibling } = await getOrder(reads, first.id)
  return { id: pack.shipment?.id ?? sibling.shipping?.id ?? null, site: siteOf(sibling) }
}

async function orNull<T>(part: () => Promise<T>): Promise<T | null> {
  try {
    return await part()
  } catch (error) {
    if (error instanceof IntegrationError && error.code === 'not-found') return null
    throw error
  }
}

// Every listing's id begins with its site.
const siteOf = (order: MeliOrder): string => order.order_items?.[0]?.item.id.slice(0, 3) ?? ''

async function factsOf(
  reads: Reads,
  { id, site }: { id: string | null; site: string },
  statuses: StatusMap,
): Promise<Pick<ShownContent, 'fulfilment' | 'extra'>> {
  const shipment = id === null ? null : await orNull(() => getShipment(reads, id))
  if (!shipment) return { fulfilment: null, extra: { shipmentId: null } }
  const logisticType = shipment.logistic?.type ?? shipment.logistic_type ?? null
  const { status, substatus = null } = shipment
  return {
    fulfilment: fulfilmentOf(statuses, { status, substatus, logisticType }) ?? null,
    extra: {
      shipmentId: shipment.id,
      shipmentMode: shipment.logistic?.mode ?? shipment.mode ?? null,
      shipmentStatus: status,
      tracking: shipment.tracking_number ?? null,
      site,
    },
  }
}

/** The report that this version still owes; undefined when there is none. What is final there is never reported over. */
export function reportStep(capabilities: Capabilities, desired: DesiredOrder, { fulfilment, extra }: ShownContent): Step | undefined {
  const report = desired.fulfilment === null ? undefined : REPORTED[desired.fulfilment]
  if (!report) return undefined
  if (!capabilities.pushFulfilment) return { kind: 'unsupported', operation: 'track' }
  if (extra.shipmentId === null || extra.shipmentId === undefined) return refused('MercadoLibre shows no shipment of this sale')
  const status = String(extra.shipmentStatus)
  if (FINAL.has(status)) {
    if (fulfilment === desired.fulfilment || desired.fulfilment === 'shipped') return undefined
    return refused(`the shipment is ${status} there, which cannot be changed to ${report.status}`)
  }
  const isTold = status === report.status && (desired.tracking === null || desired.tracking === extra.tracking)
  if (isTold) return undefined
  if (extra.shipmentMode !== 'me1') return refused(`its carrier reports a shipment of mode ${String(extra.shipmentMode)}, not the seller`)
  if (SERVICES[String(extra.site)] === undefined) return refused(`no ME1 service is known for the site ${String(extra.site)}`)
  return { kind: 'send', operation: 'track' }
}

function refused(summary: string): Step {
  return { kind: 'refused', cause: 'unsupported-by-target', summary }
}

/**
 * One report. Not idempotent, and `delivered` is for ever: an answer that was lost is settled by reading the shipment, as every unknown
 * outcome is, and only then sent again.
 */
export async function reportShipment(
  { client, canReport }: { client: MeliClient; canReport: boolean },
  { desired, shown, requestId, isLate }: { desired: DesiredOrder; shown: Shown; requestId: string; isLate?: IsLate | undefined },
  signal: AbortSignal,
): Promise<Sent> {
  const report = desired.fulfilment === null ? undefined : REPORTED[desired.fulfilment]
  const extra = shown.kind === 'found' ? shown.content.extra : {}
  const service = SERVICES[String(extra.site)]
  if (!canReport || !report || !extra.shipmentId || service === undefined)
    throw new IntegrationError('unsupported', {
      causeCode: 'unsupported-by-target',
      summary: 'MercadoLibre takes no report of this shipment',
    })
  const body = {
    payload: { service_id: service, comment: '', date: new Date().toISOString() },
    ...(desired.tracking === null ? {} : { tracking_number: desired.tracking }),
    ...report,
  }
  const path = `/shipments/${digits(String(extra.shipmentId))}/seller_notifications`
  await client.call({ method: 'POST', path, body, requestId, signal, isLate })
  return { externalId: shown.kind === 'found' ? shown.externalId : null, shown: null }
}
