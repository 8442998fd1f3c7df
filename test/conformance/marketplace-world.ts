import type { DesiredOrder } from '../../src/core/desired.ts'
import { IntegrationError } from '../../src/core/integration-error.ts'
import type { AttemptLog } from '../../src/ports/attempt-log.ts'
import type { Marketplace, WebhookReader, WebhookRequest } from '../../src/ports/marketplace.ts'
import type { Wanted } from '../../src/ports/target.ts'

/** What the next request that matches meets. `accept-…` takes effect first. */
export type WorldFault =
  | { kind: 'status'; status: number; retryAfter?: string }
  | { kind: 'hang' | 'reset' | 'accept-then-hang' | 'accept-then-reset' | 'empty' | 'truncate' | 'html' }

export interface WorldLine {
  sku: string
  quantity: number
  /** Minor units. */
  unitPriceMinor: number
}

/**
 * A marketplace with buyers in it, as a test sees it from outside. What one cannot do is null or absent, and the tests of it are skipped.
 */
export interface MarketplaceWorld {
  /** With every capability that its contract has; its requests time out within two seconds. */
  marketplace: Marketplace
  /** The same account with no capability at all. */
  incapable: Marketplace
  /** The same with an address where nobody listens. */
  unreachable: Marketplace | null
  /** Three letters, or null where the contract carries no prices. */
  currency: string | null
  /** A buyer checks out. Answers the pointer of a notification about it, the key of the sale, and the ids of all that belongs to it. */
  buy: ((lines: WorldLine[]) => Promise<{ resource: string; orderKey: string; parts: string[] }>) | null
  /** The marketplace itself cancels what `buy` answered. */
  cancel: ((orderKey: string) => Promise<void>) | null
  /** A well-formed pointer to an order that is not there. */
  unknownPointer: string
  /** Text that must stand in no fragment: names of the buyers. */
  buyerText: RegExp
  /** Whether its list says when each order was created; sweeps then leave out what is older than the channel's start. */
  saysCreation?: true
  /** Rows of one page of a sweep; 0 where it does not page. */
  pageSize: number
  /** How long its search may lag behind, milliseconds. */
  lagMs: number
  /** Makes the marketplace refuse a SKU that it does not know. */
  forgetSku: ((sku: string) => Promise<void>) | null
  /** Orders there that show this reference, cancelled ones included. */
  countOf(reference: string): Promise<number>
  /** Every request that arrived with a request id, oldest first. */
  requests(): Promise<{ requestId: string; method: string; path: string }[]>
  /** Sets the fault of the coming requests of one kind. Null where this world has no such fault. */
  fail(on: 'send' | 'read', fault: WorldFault, times: number): Promise<void> | null
  heal(): Promise<void>
  webhooks: WebhookWorld[]
  close(): Promise<void>
}

export interface WebhookWorld {
  name: string
  reader: WebhookReader
  /** A body as the marketplace posts it, about this pointer. */
  body(resource: string): Uint8Array
  /** The request that carries these bytes, with its secret or signature right. */
  authentic(body: Uint8Array): WebhookRequest
  /** The same with a wrong one. */
  forged(body: Uint8Array): WebhookRequest
}

export interface Recorded {
  log: AttemptLog
  /** Operations and request ids, in the order of their intents. */
  reads: { operation: string; requestId: string; outcome: 'open' | 'ok' | 'failed' }[]
}

/** An attempt log that remembers what it was told. */
export function aLog(): Recorded {
  const reads: Recorded['reads'] = []
  return {
    reads,
    log: {
      async read(operation, call) {
        const row: Recorded['reads'][number] = { operation, requestId: crypto.randomUUID(), outcome: 'open' }
        reads.push(row)
        try {
          const answer = await call(row.requestId)
          row.outcome = 'ok'
          return answer
        } catch (error) {
          row.outcome = 'failed'
          throw error
        }
      },
    },
  }
}

let orders = 0

/** A delivery of an order that nobody else has, of two lines. */
export function aWanted(
  world: MarketplaceWorld,
  over: Partial<Wanted> & { order?: Partial<DesiredOrder> } = {},
): Wanted & { desired: DesiredOrder } {
  orders += 1
  const { order, ...wanted } = over
  const lines = [
    { lineId: '1', sku: `CUP-${orders}`, quantity: '2', unitPriceMinor: 12_990 },
    { lineId: '2', sku: `POT-${orders}`, quantity: '1', unitPriceMinor: 5_000 },
  ]
  const orderKey = `${process.pid}${Date.now()}${orders}`
  return {
    channel: world.marketplace.channel,
    reference: `odoo-${orderKey}`,
    generation: 1,
    version: 1,
    externalId: null,
    firstSentAt: null,
    personal: { buyerNickname: 'Ana Rojas' },
    ...wanted,
    desired: {
      kind: 'order',
      origin: 'odoo',
      orderKey,
      lifecycle: 'open',
      fulfilment: null,
      tracking: null,
      confirm: true,
      currency: world.currency ?? 'CLP',
      totalMinor: 30_980,
      lines,
      ...order,
    },
  }
}

/** The next version of what was sent: same binding, other content. */
export function nextVersion(wanted: Wanted & { desired: DesiredOrder }, externalId: string | null, change: Partial<DesiredOrder>) {
  return { ...wanted, version: wanted.version + 1, externalId, desired: { ...wanted.desired, ...change } }
}

/** One more piece of the first line, the total with it. */
export function oneMore(desired: DesiredOrder): Partial<DesiredOrder> {
  const [first, ...rest] = desired.lines
  if (!first) throw new Error('an order without lines')
  const quantity = String(Number(first.quantity) + 1)
  const totalMinor = desired.totalMinor === null ? null : desired.totalMinor + (first.unitPriceMinor ?? 0)
  return { lines: [{ ...first, quantity }, ...rest], totalMinor }
}

export const patient = (): AbortSignal => AbortSignal.timeout(20_000)

/** What a promise was rejected with, which must be an IntegrationError. */
export async function failureOf(work: Promise<unknown>): Promise<IntegrationError> {
  try {
    await work
  } catch (error) {
    if (error instanceof IntegrationError) return error
    throw new Error('thrown, and no IntegrationError', { cause: error })
  }
  throw new Error('nothing was thrown')
}
