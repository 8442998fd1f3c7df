import { type ErpOrder, readErpOrders } from './erp-ledger.ts'
import { type Routing, readRouting } from './hub-file.ts'
import { type BindingRow, type HubTables, readHubTables, type SilverRow } from './hub-tables.ts'
import { type LedgerLine, readLedger } from './ledger-file.ts'
import { type MarketplaceOrder, readMeliOrders, readParisOrders } from './marketplace-ledgers.ts'
import { type Sale, salesOf } from './sales.ts'

export interface AuditInput {
  databaseUrl: string
  ledgers: { odoo: string; meli: string; paris: string }
  hubFile: string | null
  quietSeconds: number
}

/** Everything that the checks look at: the ledgers first, the hub's tables beside them. */
export interface World {
  lines: { odoo: LedgerLine[]; meli: LedgerLine[]; paris: LedgerLine[] }
  erp: ErpOrder[]
  market: MarketplaceOrder[]
  sales: Sale[]
  routing: Routing
  hub: HubTables
  /** What changed after this instant is not judged yet. Milliseconds since the epoch. */
  quietSince: number
  silverOf(origin: string, key: string): SilverRow | undefined
  bindingOf(silver: SilverRow | undefined, channel: string): BindingRow | undefined
  attemptsOf(silver: SilverRow | undefined): string[]
}

export async function readWorld(input: AuditInput): Promise<World> {
  const quietSince = Date.now() - input.quietSeconds * 1000
  // The tables first: whatever a ledger then shows beyond them is younger, and the quiet window leaves it out.
  const hub = await readHubTables(input.databaseUrl, input.quietSeconds)
  const lines = { odoo: readLedger(input.ledgers.odoo), meli: readLedger(input.ledgers.meli), paris: readLedger(input.ledgers.paris) }
  const market = [...readMeliOrders(lines.meli), ...readParisOrders(lines.paris)]
  return {
    lines,
    erp: readErpOrders(lines.odoo),
    market,
    sales: salesOf(market),
    routing: readRouting(input.hubFile),
    hub,
    quietSince,
    ...indexesOf(hub),
  }
}

function indexesOf(hub: HubTables): Pick<World, 'silverOf' | 'bindingOf' | 'attemptsOf'> {
  const silver = new Map(hub.silver.map((row) => [`${row.origin} ${row.order_key}`, row]))
  const bindings = new Map(hub.binding.map((row) => [`${row.order_id} ${row.channel}`, row]))
  const orderOfDelivery = new Map(hub.delivery.map((row) => [row.id, row.order_id]))
  const orderOfEvent = new Map(hub.event.map((row) => [row.id, row.order_id]))
  const attempts = Map.groupBy(
    hub.attempt,
    (row) => orderOfDelivery.get(row.delivery_id ?? '') ?? orderOfEvent.get(row.inbound_event_id ?? ''),
  )
  return {
    silverOf: (origin, key) => silver.get(`${origin} ${key}`),
    bindingOf: (row, channel) => bindings.get(`${row?.id} ${channel}`),
    attemptsOf: (row) =>
      (row === undefined ? [] : (attempts.get(row.id) ?? [])).map(
        (a) => `${a.id} ${a.purpose} ${a.operation}@${a.channel} ${a.outcome ?? 'open'}`,
      ),
  }
}

/** Everything that a person may call an order, upper case. */
export function namesOf(...names: (string | null | undefined)[]): string[] {
  return [...new Set(names.flatMap((name) => (name ? [name.toUpperCase()] : [])))]
}
