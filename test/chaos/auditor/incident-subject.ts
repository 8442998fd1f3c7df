import type { OrderCheck } from './check-erp-born.ts'
import { type ErpOrder, isConfirmed } from './erp-ledger.ts'
import type { HubTables, SilverRow } from './hub-tables.ts'
import type { Sale } from './sales.ts'
import type { World } from './world.ts'

/** Everything that ledgers and tables hold of the order that an incident names. */
export interface Subject {
  check: OrderCheck | undefined
  /** Upper case. */
  names: Set<string>
  /** The order born in the ERP. */
  erp: ErpOrder | undefined
  sale: Sale | undefined
  silver: SilverRow | undefined
  deliveries: HubTables['delivery']
  events: HubTables['event']
}

export function subjectOf(reference: string, check: OrderCheck | undefined, world: World): Subject {
  const { hub } = world
  const silver = check && world.silverOf(check.origin, check.key)
  const names = new Set([reference, reference.replace(/^ML-/, ''), ...(check?.names ?? [])].map((name) => name.toUpperCase()))
  const isNamed = (text: string | null | undefined): boolean => names.has((text ?? '').toUpperCase())
  return {
    check,
    names,
    erp: world.erp.find((order) => order.bornAt === null && (isNamed(order.clientOrderRef) || isNamed(order.name))),
    sale: check && world.sales.find((sale) => sale.channel === check.origin && sale.id === check.key),
    silver,
    deliveries: hub.delivery.filter((row) => row.order_id !== null && row.order_id === silver?.id),
    events: hub.event.filter(
      (row) => (row.order_id !== null && row.order_id === silver?.id) || isNamed(row.order_key) || isNamed(row.resource.split('/').at(-1)),
    ),
  }
}

/** What ledgers and tables must show where the state's row names no cause. A cause that is not here is shown by nothing. */
const EVIDENCE: Record<string, (subject: Subject, world: World) => boolean> = {
  delivered: ({ check }) => check?.inScope === true && check.breaches.length === 0,
  'delivered-then-missing': ({ silver }, { hub, market }) =>
    hub.binding.some(
      (row) =>
        row.order_id === silver?.id && market.some((one) => one.deleted && one.channel === row.channel && one.id === row.external_id),
    ),
  'on-hold': ({ sale }, { erp }) =>
    sale?.held === true &&
    erp.some((order) => order.bornAt === sale.channel && order.clientOrderRef === sale.id && order.state === 'draft'),
  'illegal-transition': ({ silver, sale }, { market }) =>
    silver?.illegal === true && market.some((one) => one.wentBack && sale?.orderIds.includes(one.id) && one.channel === sale.channel),
  'unmapped-status': ({ silver, sale }) => silver?.flags.includes('unknown_status') === true && sale?.fulfilment === null,
  'webhook-conflict': ({ events }) => events.some((row) => row.conflict),
  'webhook-never-arrived': (subject) => isUnheard(subject),
  'not-routed': ({ erp }, { routing }) => {
    const view = erp?.confirmedViews.at(-1)
    return view !== undefined && routing.route(view).length === 0
  },
  'erp-not-confirmed': ({ erp }) => erp !== undefined && !isConfirmed(erp.state),
}

export function isShownBy(cause: string, subject: Subject, world: World): boolean {
  return EVIDENCE[cause]?.(subject, world) ?? false
}

/** No word of the marketplace came of its sale. What the hub found by itself is none. */
export function isUnheard({ sale, events }: Subject): boolean {
  return sale !== undefined && events.every(({ channel, topic }) => channel !== sale.channel || topic === 'sweep')
}
