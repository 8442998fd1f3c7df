import type { Operation, Step } from '../../src/core/delivery.ts'
import type { DesiredOrder } from '../../src/core/desired.ts'
import type { AttemptLog } from '../../src/ports/attempt-log.ts'
import type { Erp } from '../../src/ports/erp.ts'
import type { Shown, Wanted } from '../../src/ports/target.ts'
import type { Wire } from './wire.ts'

/** An ERP with people in it. Prices in it are CLP, and gross prices stay gross by the tax that `open` configures. */
export interface ErpWorld {
  /** Opens one more adapter on the same ERP; the world closes it. */
  open(options?: OpenOptions): Promise<Erp>
  /** Two SKUs of products with plenty of free stock. */
  skus: readonly [string, string]
  /** Amount of `skus[0]` on the ERP's own pricelist and with its own taxes, per piece. */
  listedMinor: number
  person: Person
  /** The line to it, for ERPs behind one. */
  wire?: Wire
  /** The ERP itself still refuses to cancel what was delivered a moment ago. */
  refusesLateCancel: boolean
  /** A delivery keeps its pieces when the quantity of a confirmed order goes down. */
  keepsDemand: boolean
  close(): Promise<void>
}

export interface OpenOptions {
  password?: string
  database?: string
  writeTimeoutMs?: number
  /** Name of the generic partner of MercadoLibre. */
  partner?: string
}

export interface PersonsLine {
  /** null is a product without SKU. */
  sku: string | null
  quantity: number
  price: number
}

/** What people do in the ERP, under a name that is not the hub's. Ids are the ERP's. */
export interface Person {
  createOrder(order: { reference?: string; origin?: string; confirmed?: boolean; section?: string; lines: PersonsLine[] }): Promise<string>
  confirm(erpId: string): Promise<void>
  cancel(erpId: string): Promise<void>
  deliver(erpId: string): Promise<void>
  remove(erpId: string): Promise<void>
  touch(erpId: string): Promise<void>
  setQuantity(erpId: string, sku: string, quantity: number): Promise<void>
  setTracking(erpId: string, tracking: string): Promise<void>
  setStock(sku: string, quantity: number): Promise<void>
  /** Writes the order in a transaction that stays open until `commit`. */
  holdWrite(erpId: string): Promise<{ commit(): Promise<void> }>
  see(erpId: string): Promise<SeenOrder>
  countByReference(reference: string): Promise<number>
}

export interface SeenOrder {
  state: string
  totalMinor: number
  reference: string
  origin: string
  /** The text that the customer reads. */
  note: string
  messages: string[]
  pickings: { state: string; tracking: string }[]
  lines: { sku: string; quantity: number }[]
  /** Pieces that its open deliveries hold, by SKU. */
  toDeliver: Record<string, number>
}

export const CHANNEL = 'mercadolibre:1001'
let keys = 0

/** A marketplace's order key: longer than 2^31, and never used before. */
export function newKey(): string {
  keys += 1
  return `2${Date.now()}${String(process.pid % 1000).padStart(3, '0')}${String(keys).padStart(4, '0')}`
}

export function wantedOf(world: Pick<ErpWorld, 'skus'>, desired: Partial<DesiredOrder> = {}, wanted: Partial<Wanted> = {}): Wanted {
  const orderKey = desired.orderKey ?? newKey()
  return {
    channel: 'odoo',
    reference: desired.origin === 'odoo' ? `odoo-${orderKey}` : orderKey,
    generation: 1,
    version: 1,
    externalId: null,
    firstSentAt: null,
    personal: null,
    desired: {
      kind: 'order',
      origin: CHANNEL,
      orderKey,
      lifecycle: 'open',
      fulfilment: null,
      tracking: null,
      confirm: true,
      currency: 'CLP',
      totalMinor: 75_970,
      lines: [
        { lineId: 'l1', sku: world.skus[0], quantity: '2', unitPriceMinor: 12_990 },
        { lineId: 'l2', sku: world.skus[1], quantity: '1', unitPriceMinor: 49_990 },
      ],
      ...desired,
    },
    ...wanted,
  }
}

/** The next version of the same order. */
export function nextVersion(before: Wanted, desired: Partial<DesiredOrder>): Wanted {
  return { ...before, version: before.version + 1, desired: { ...(before.desired as DesiredOrder), ...desired } }
}

export const never = new AbortController().signal

/** Records every read, as the outbox would. */
export function attemptLog(): AttemptLog & { operations: string[] } {
  const operations: string[] = []
  return {
    operations,
    read: (operation, call) => {
      operations.push(operation)
      return call(`read-${newKey()}`)
    },
  }
}

export function look(erp: Erp, wanted: Wanted): Promise<Shown> {
  return erp.lookUp(wanted, attemptLog(), never)
}

export interface Driven {
  operations: Operation[]
  end: Step
  shown: Shown
}

/** Looks up, asks for the next step and sends, until nothing is left to send: what the outbox worker does with one claim. */
export async function drive(erp: Erp, wanted: Wanted): Promise<Driven> {
  const operations: Operation[] = []
  let shown = await look(erp, wanted)
  while (operations.length < 12) {
    if (shown.kind === 'found') wanted.externalId = shown.externalId
    const end = erp.next(wanted, shown)
    if (end.kind !== 'send') return { operations, end, shown }
    operations.push(end.operation)
    const sent = await erp.send(wanted, end.operation, shown, `send-${newKey()}`, never)
    if (sent.externalId !== null) wanted.externalId = sent.externalId
    shown = sent.shown ?? (await look(erp, wanted))
  }
  throw new Error(`no end after ${operations.join(', ')}`)
}

/** Polls until the answer is there; the ERP does some things after it answered. */
export async function until<T>(ask: () => Promise<T | undefined | false>, limitMs = 20_000): Promise<T> {
  const end = Date.now() + limitMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (Date.now() > end) throw new Error('the condition did not come true in time')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
