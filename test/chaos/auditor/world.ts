import { type Canaries, readCanaries } from './checks/canaries.ts'
import { type ErpOrder, readErpOrders } from './erp-ledger.ts'
import { type Routing, readRouting } from './hub-file.ts'
import { type AttemptRow, type BindingRow, type HubTables, readHubTables, type SilverRow } from './hub-tables.ts'
import { type LedgerLine, readLedger } from './ledger-file.ts'
import { type MarketplaceOrder, readMeliOrders, readParisOrders } from './marketplace-ledgers.ts'
import type { Run } from './run-record.ts'
import { readSamples, type Sample } from './sample-file.ts'
import { type Sale, saleLabel, salesOf } from './sales.ts'

export interface AuditInput {
  databaseUrl: string
  ledgers: { odoo: string; meli: string; paris: string }
  hubFile: string | null
  quietSeconds: number
  incidents: string | null
  /** What a run record says (`run-record.ts`): injected row of the catalogue, faulty channels, lost window, how the run is made again. */
  run?: Run | null
  /** A sampler's file (`sample-file.ts`): without it I8 and I9 are not judged, I10 to I12 by the tables alone. */
  samples?: string | null
  /** I8: a transaction of this many milliseconds is too long; 250 unless given, more where many hubs share a processor. */
  longestTransactionMs?: number
  /** Planted strings (`checks/canaries.ts`) to look for beside those of the ledgers. */
  canaries?: string | null
  /** Logs and tool outputs, text files. */
  scan?: readonly string[]
  /** Rows of the failure catalogue that were injected, beside those of the record. */
  scenarios?: readonly string[]
}

export interface Lines {
  odoo: LedgerLine[]
  meli: LedgerLine[]
  paris: LedgerLine[]
}

/** Everything that the checks look at: the ledgers first, the hub's tables beside them. */
export interface World {
  lines: Lines
  erp: ErpOrder[]
  market: MarketplaceOrder[]
  sales: Sale[]
  routing: Routing
  hub: HubTables
  run: Run
  samples: Sample[]
  longestTransactionMs: number
  canaries: Canaries
  files: readonly string[]
  /** What changed after this instant is not judged yet. Milliseconds since the epoch. */
  quietSince: number
  /** The same by the hub's clock, which a test may have shifted. */
  hubQuietSince: number
  silverOf(origin: string, key: string): SilverRow | undefined
  bindingOf(silver: SilverRow | undefined, channel: string): BindingRow | undefined
  attemptsOf(silver: SilverRow | undefined): string[]
  /** What people call a silver order. */
  nameOf(orderId: string): string
}

export const LONGEST_TRANSACTION_MS = 250

export async function readWorld(input: AuditInput): Promise<World> {
  const { odoo, meli, paris } = input.ledgers
  return worldOf(input, () => ({ odoo: readLedger(odoo), meli: readLedger(meli), paris: readLedger(paris) }))
}

/** The world with ledgers that the caller reads. */
export async function worldOf(input: AuditInput, readLines: () => Lines): Promise<World> {
  const quietMs = input.quietSeconds * 1000
  const quietSince = Date.now() - quietMs
  // The tables first: whatever a ledger then shows beyond them is younger, and the quiet window leaves it out.
  const hub = await readHubTables(input.databaseUrl, input.quietSeconds)
  const lines = readLines()
  const routing = readRouting(input.hubFile)
  const market = [...readMeliOrders(lines.meli, routing.wordsOf), ...readParisOrders(lines.paris, routing.wordsOf)]
  const erp = readErpOrders(lines.odoo)
  return {
    lines,
    erp,
    market,
    sales: salesOf(market),
    routing,
    hub,
    run: runOf(input),
    samples: readSamples(input.samples ?? null),
    longestTransactionMs: input.longestTransactionMs ?? LONGEST_TRANSACTION_MS,
    canaries: readCanaries(input.canaries ?? null),
    files: input.scan ?? [],
    quietSince,
    hubQuietSince: (hub.channel[0]?.now_ms ?? Date.now()) - quietMs,
    ...indexesOf(hub, erp),
  }
}

function runOf({ run, scenarios = [] }: AuditInput): Run {
  const known = run ?? { scenarios: [], faultyChannels: [], lostWindow: null, replay: null }
  return { ...known, scenarios: [...known.scenarios, ...scenarios] }
}

function indexesOf(hub: HubTables, erp: readonly ErpOrder[]): Pick<World, 'silverOf' | 'bindingOf' | 'attemptsOf' | 'nameOf'> {
  const silver = new Map(hub.silver.map((row) => [`${row.origin} ${row.order_key}`, row]))
  const byId = new Map(hub.silver.map((row) => [row.id, row]))
  const labels = new Map(erp.map((order) => [order.id, order.clientOrderRef ?? order.name]))
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
    attemptsOf: (row) => (row === undefined ? [] : (attempts.get(row.id) ?? [])).map(attemptText),
    nameOf(orderId) {
      const row = byId.get(orderId)
      if (!row) return `silver_order ${orderId}`
      return row.origin === 'odoo' ? (labels.get(row.order_key) ?? `odoo-${row.order_key}`) : saleLabel(row.origin, row.order_key)
    },
  }
}

export function attemptText({ id, purpose, operation, channel, outcome }: AttemptRow): string {
  return `${id} ${purpose} ${operation}@${channel} ${outcome ?? 'open'}`
}

/** Everything that a person may call an order, upper case. */
export function namesOf(...names: (string | null | undefined)[]): string[] {
  return [...new Set(names.flatMap((name) => (name ? [name.toUpperCase()] : [])))]
}
