import type { Erp } from '../../ports/erp.ts'
import type { Shown, Wanted } from '../../ports/target.ts'
import { changedPickings, changedOrders, changedStock, findOrders, orderVersionsSince } from './changes.ts'
import { odooClient, type OdooClientOptions } from './client.ts'
import type { Connection } from './connection.ts'
import { type Ingredients, resolveAppended, resolveIngredients, type TaxMode } from './create-order.ts'
import { erpHealth } from './health.ts'
import { lineWorkIn } from './line-work.ts'
import { doubledOrders } from './doubled.ts'
import { findBinding, loggedRead, showOrder } from './look-up.ts'
import type { Read } from './order-reading.ts'
import { nextStep } from './order-steps.ts'
import { readErpOrders } from './read-orders.ts'
import { sendOrder } from './send-order.ts'

export interface OdooErpOptions extends OdooClientOptions {
  taxMode: TaxMode
  /** Generic partner by marketplace: its name (created when there is none) or its id. A marketplace without one uses its own name. */
  channelPartners: Readonly<Record<string, string | number>>
  /** Fields of `sale.order` that routing rules look at. */
  routingFields?: readonly string[]
  /** Counts the free stock of this warehouse only. */
  warehouseId?: number
  /** Longest wait of a send between its intent and its first byte, milliseconds; 2 s unless told. */
  marginMs?: number
}

/** Odoo 14 to 20 as the hub's ERP. Connects at its first use, and again after the connection failed. */
export async function odooErp(options: OdooErpOptions): Promise<Erp & { close(): Promise<void> }> {
  const client = odooClient(options)
  const memory = recentMemory()
  const on = async <T>(signal: AbortSignal, ask: (read: Read, connection: Connection) => Promise<T>): Promise<T> =>
    await ask((schema, call) => client.read(schema, call, { signal }), await client.connection(signal))
  return {
    channel: 'odoo',
    looksFirst: true,
    serverTime: (signal) => client.serverTime(signal),
    changedOrders: (fromIso, toIso, signal) => on(signal, (read, connection) => changedOrders(read, connection, fromIso, toIso)),
    orderVersionsSince: (fromIso, signal) => on(signal, (read, connection) => orderVersionsSince(read, connection, fromIso)),
    doubledOrders: (fromIso, signal) => on(signal, (read) => doubledOrders(read, fromIso)),
    readOrders: (ids, signal) => on(signal, (read, connection) => readErpOrders(read, connection, ids, options.routingFields ?? [])),
    changedPickings: (window, signal) => on(signal, (read, connection) => changedPickings(read, connection, window)),
    changedStock: (fromIso, toIso, signal) =>
      on(signal, (read, connection) =>
        changedStock(read, connection, {
          fromIso,
          toIso,
          ...(options.warehouseId === undefined ? {} : { warehouseId: options.warehouseId }),
        }),
      ),
    find: (typed, signal) => on(signal, (read) => findOrders(read, typed)),
    health: (signal) => erpHealth(client, options, signal),
    lookUp: async (wanted, log, signal) => {
      const read = loggedRead(client, log, signal)
      return await lookUp({ read, connection: await client.connection(signal), options, memory }, wanted)
    },
    next: nextStep,
    send: async (...[wanted, operation, shown, requestId, signal, isLate]) => {
      const { desired } = wanted
      if (desired.kind === 'stock') throw new Error('stock is never sent to Odoo: it comes from there')
      // A login is a dozen requests. It goes on by itself, for the next try; this one gives up while the lease is good.
      const loginBy = AbortSignal.any([signal, AbortSignal.timeout(options.marginMs ?? 2_000)])
      const connection = await client.connection(loginBy)
      const settings = { client, taxMode: options.taxMode, ingredients: memory.ingredients, declined: memory.declined }
      return await sendOrder(settings, operation, { wanted, desired, shown, connection, context: { requestId, signal, loginBy, isLate } })
    },
    close: () => client.close(),
  }
}

interface LookUp {
  read: Read
  connection: Connection
  options: OdooErpOptions
  memory: ReturnType<typeof recentMemory>
}

async function lookUp({ read, connection, options, memory }: LookUp, wanted: Wanted): Promise<Shown> {
  const { desired } = wanted
  const found = await findBinding(read, connection, wanted)
  if (!found) {
    const willCreate =
      desired.kind === 'order' && desired.origin !== 'odoo' && desired.lifecycle !== 'cancelled' && wanted.externalId === null
    if (willCreate) memory.ingredients.set(wanted, await resolveIngredients(read, desired, options.channelPartners))
    return { kind: 'absent' }
  }
  const shown = await showOrder(read, connection, found, wanted)
  if (shown.kind === 'absent' || desired.kind === 'stock') return shown
  shown.content.extra.declined = memory.takeDeclined(shown.externalId, found.order.write_date)
  const { missing } = lineWorkIn(String(shown.content.extra.lineWork))
  if (missing.length > 0) memory.ingredients.set(wanted, await resolveAppended(read, desired, missing, found.order.partner_id?.id ?? 0))
  return shown
}

const MOST_REMEMBERED = 1_000

// What a look-up learned for the send that follows it in the same claim, and what Odoo declined in a send for the look-up after it.
// Losing it costs one more look-up or one more try, never a double.
function recentMemory() {
  const ingredients = new Map<string, Ingredients>()
  const declined = new Map<string, { operation: 'confirm' | 'cancel'; writeDate: string }>()
  const keyOf = (wanted: Wanted): string => `${wanted.desired.kind === 'order' ? wanted.desired.origin : ''}/${wanted.reference}`
  return {
    ingredients: {
      get: (wanted: Wanted) => ingredients.get(keyOf(wanted)),
      set: (wanted: Wanted, found: Ingredients) => remember(ingredients, keyOf(wanted), found),
    },
    declined: (orderId: string, operation: 'confirm' | 'cancel', writeDate: string) =>
      remember(declined, orderId, { operation, writeDate }),
    takeDeclined: (orderId: string, writeDate: string): 'confirm' | 'cancel' | null => {
      const last = declined.get(orderId)
      declined.delete(orderId)
      return last?.writeDate === writeDate ? last.operation : null
    },
  }
}

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key)
  map.set(key, value)
  const oldest = map.keys().next()
  if (map.size > MOST_REMEMBERED && !oldest.done) map.delete(oldest.value)
}
