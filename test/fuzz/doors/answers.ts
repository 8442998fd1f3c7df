import { IntegrationError } from '../../../src/core/integration-error.ts'
import type { DesiredOrder } from '../../../src/core/desired.ts'
import type { HttpClient, HttpReply } from '../../../src/drivers/http.ts'
import { retryAfterMs } from '../../../src/drivers/http.ts'
import { readAccount } from '../../../src/drivers/mercadolibre/account.ts'
import { getItem, getStock, type Reads, searchItems } from '../../../src/drivers/mercadolibre/calls.ts'
import { mercadolibreClient } from '../../../src/drivers/mercadolibre/client.ts'
import { fetchSale } from '../../../src/drivers/mercadolibre/fetch-order.ts'
import { exchangeCode, oauthErrorIn } from '../../../src/drivers/mercadolibre/oauth.ts'
import { lookUpOrder as lookUpMeli } from '../../../src/drivers/mercadolibre/order-target.ts'
import { defaultStatusMap } from '../../../src/drivers/mercadolibre/status-map.ts'
import { changedOrders as sweepMeli, missedOrderEvents } from '../../../src/drivers/mercadolibre/sweep.ts'
import { changedOrders, changedStock, findOrders, orderVersionsSince } from '../../../src/drivers/odoo/changes.ts'
import { connect, serverTime } from '../../../src/drivers/odoo/connection.ts'
import { json2, jsonRpc } from '../../../src/drivers/odoo/transport.ts'
import { parisClient } from '../../../src/drivers/paris/client.ts'
import { createdOrders } from '../../../src/drivers/paris/list.ts'
import { PARIS_STATUSES } from '../../../src/drivers/paris/order.ts'
import { lookUpOrder as lookUpParis, sendOrder as sendParis } from '../../../src/drivers/paris/order-target.ts'
import { systemClock } from '../../../src/drivers/system-clock.ts'
import type { Wanted } from '../../../src/ports/target.ts'
import { holdsDigits, holdsInstant, holdsStorable } from '../content.ts'
import { type Door, holds, type Input, type Judgement, sample } from '../door.ts'
import { odooAnswering } from '../odoo-answering.ts'
import { aMeliOrder, aMeliPack, aMeliShipment, aParisOrder, odooRecords } from '../vendor-shapes.ts'

const signal = new AbortController().signal
const CREDENTIALS = { database: 'odoo', user: 'hub', password: 'the-password-of-the-fuzzed-door' }
const CALL = { timeoutMs: 1_000 }
const READ = { model: 'sale.order', method: 'read' }
const VERSION_PATH = '/web/version'

/** A server that says this, whatever it is asked. */
function answering(reply: HttpReply, mostRequests = MOST_REQUESTS): HttpClient {
  let asked = 0
  return {
    origin: 'http://other.example',
    close: async () => {},
    exchange: async () => {
      asked += 1
      holds(asked <= mostRequests, 'one answer makes the driver ask without end')
      return reply
    },
  }
}

/** A sale may name a hundred siblings; the missed feed is read once more a topic where a page was full. */
const MOST_REQUESTS = 1_000
const MOST_FEED_REQUESTS = 12
const ok = (bytes: Uint8Array, headers: Record<string, string> = {}): HttpReply => ({
  status: 200,
  headers,
  text: Buffer.from(bytes).toString('utf8'),
})

const meliOf = (reply: HttpReply, mostRequests?: number) =>
  mercadolibreClient({
    http: answering(reply, mostRequests),
    tokens: { current: async () => ({ accessToken: 'token', version: 1 }), renewed: async () => ({ accessToken: 'token', version: 2 }) },
    clock: systemClock,
    timeoutMs: 1_000,
  })
const log = { read: <T>(_operation: string, call: (requestId: string) => Promise<T>): Promise<T> => call('attempt-1') }
const readsOf = (bytes: Uint8Array): Reads => ({ client: meliOf(ok(bytes)), log, signal })
const parisOf = (reply: HttpReply) => parisClient({ http: answering(reply), apiKey: 'key' })

const capabilities = {
  createOrder: true,
  updateOrder: true,
  cancelOrder: true,
  updateStock: false,
  fractionalQuantity: false,
  idempotentCreate: true,
  pushFulfilment: true,
}
const desired: DesiredOrder = {
  kind: 'order',
  origin: 'odoo',
  orderKey: '42',
  lifecycle: 'open',
  fulfilment: null,
  tracking: null,
  confirm: true,
  currency: 'CLP',
  totalMinor: 25980,
  lines: [{ lineId: 'l1', sku: 'TAZA-01', quantity: '2', unitPriceMinor: 12990 }],
}
const wanted: Wanted & { desired: DesiredOrder } = {
  channel: 'paris:main',
  reference: 'odoo-42',
  generation: 1,
  version: 1,
  externalId: null,
  desired,
  firstSentAt: '2026-11-20T15:00:00.000Z',
  personal: null,
}
const mapping = { statuses: defaultStatusMap, withReference: true }
const meliTarget = (bytes: Uint8Array) => ({ client: meliOf(ok(bytes)), userId: '1001', capabilities, mapping, marginMs: 1_000 })
const parisTarget = (bytes: Uint8Array) => ({ client: parisOf(ok(bytes)), capabilities, lookUpByQuery: true, statuses: PARIS_STATUSES })
const oauthApp = { clientId: '77', clientSecret: 'secret', redirectUri: 'https://hub.example/callback', authBase: 'https://auth.example' }
const account = { channel: 'mercadolibre:1001', userId: '1001', appId: '77' }

type Reader = (bytes: Uint8Array) => Promise<unknown>

const READERS: Record<string, Reader> = {
  'mercadolibre sale': (bytes) => fetchSale(readsOf(bytes), '/orders/2000009047722568', mapping),
  'mercadolibre shipment': (bytes) => fetchSale(readsOf(bytes), '/shipments/43729529445', mapping),
  'mercadolibre payment': (bytes) => fetchSale(readsOf(bytes), '/collections/5', mapping),
  'mercadolibre search': (bytes) => lookUpMeli(meliTarget(bytes), wanted, readsOf(bytes)),
  'mercadolibre sweep': (bytes) =>
    sweepMeli({ client: meliOf(ok(bytes)), userId: '1001' }, { sinceIso: '2026-11-20T00:00:00Z', page: null }, signal),
  'mercadolibre missed feed': (bytes) => missedOrderEvents(meliOf(ok(bytes), MOST_FEED_REQUESTS), account, signal),
  'mercadolibre account': (bytes) => readAccount(meliOf(ok(bytes))),
  'mercadolibre items': (bytes) => searchItems(readsOf(bytes), '1001', 'TAZA-01'),
  'mercadolibre item': (bytes) => getItem(readsOf(bytes), 'MLC1500000001'),
  'mercadolibre stock': (bytes) => getStock(readsOf(bytes), 'MLCU12'),
  'mercadolibre token': (bytes) => exchangeCode({ app: oauthApp, http: answering(ok(bytes)) }, { code: 'c', verifier: 'v' }),
  'mercadolibre token refusal': async (bytes) => ({ word: oauthErrorIn({ ...ok(bytes), status: 400 }) }),
  'mercadolibre error': (bytes) => meliOf({ ...ok(bytes), status: 409 }).call({ method: 'GET', path: '/orders/1' }),
  'paris look-up': (bytes) => lookUpParis(parisTarget(bytes), wanted, log, signal),
  'paris list': (bytes) => createdOrders(parisOf(ok(bytes)), { sinceIso: '2026-11-20T00:00:00Z', page: null }, signal),
  'paris answer': (bytes) => sendParis(parisTarget(bytes), { wanted, operation: 'create', requestId: 'r' }, signal),
  'paris error': (bytes) =>
    sendParis(
      { ...parisTarget(bytes), client: parisOf({ ...ok(bytes), status: 422 }) },
      { wanted, operation: 'create', requestId: 'r' },
      signal,
    ),
  'odoo json-rpc': (bytes) => jsonRpc(answering(ok(bytes)), '', { ...CREDENTIALS, uid: 2 })(READ, CALL),
  'odoo json-2': (bytes) => json2(answering(ok(bytes)), '', CREDENTIALS)(READ, CALL),
  'odoo json-2 error': (bytes) => json2(answering({ ...ok(bytes), status: 422 }), '', CREDENTIALS)(READ, CALL),
  'odoo login': (bytes) =>
    connect({ http: odooLogin(bytes), base: '', ...CREDENTIALS }, CALL).then(({ version, major, uid }) => ({ version, major, uid })),
  'odoo changes': async (bytes) => {
    const { read, connection } = odooAnswering(bytes)
    const found = await findOrders(read, '42')
    const versions = await orderVersionsSince(read, connection, '2026-11-20T00:00:00Z')
    const changed = await changedOrders(read, connection, '2026-11-20T00:00:00Z', '2026-11-24T00:00:00Z')
    for (const { version } of [...found, ...versions, ...changed]) holdsInstant(version, 'a version')
    return {
      found,
      versions,
      changed,
      stock: await changedStock(read, connection, { fromIso: '2026-11-20T00:00:00Z', toIso: '2026-11-24T00:00:00Z' }),
    }
  },
  'retry-after': async (bytes) => {
    const text = Buffer.from(bytes).toString('latin1')
    const waitMs = retryAfterMs(text, 0)
    holds(waitMs === undefined || (waitMs >= 0 && Number.isFinite(waitMs)), `no wait: ${waitMs}`)
    if (waitMs === undefined) throw new IntegrationError('malformed-response', { summary: 'no time to wait' })
    return { waitMs }
  },
  'server clock': (bytes) =>
    serverTime({ http: answering(ok(Buffer.from('{}'), { date: Buffer.from(bytes).toString('latin1') })), base: '' }, CALL).then((at) => ({
      at,
    })),
}

function odooLogin(bytes: Uint8Array): HttpClient {
  const fields = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { id: { type: 'integer' } } })
  let asked = 0
  return {
    origin: 'http://odoo.example',
    close: async () => {},
    exchange: async ({ path }) => {
      if (path === VERSION_PATH) return ok(bytes)
      asked += 1
      return ok(Buffer.from(asked === 1 ? '{"jsonrpc":"2.0","id":1,"result":2}' : fields))
    },
  }
}

const meliSale = { ...aMeliOrder, orders: aMeliPack.orders, shipment: aMeliPack.shipment }
const token = {
  access_token: 'APP_USR-1',
  token_type: 'bearer',
  expires_in: 21600,
  scope: 'offline_access',
  user_id: 1001,
  refresh_token: 'TG-1',
}
const feedRow = {
  _id: 'n-1',
  topic: 'orders_v2',
  resource: '/orders/2000009047722568',
  user_id: 1001,
  application_id: 77,
  request: { data: '{"actions":["x"]}' },
}

/** What other systems answer, read by the drivers over a stubbed connection. */
export const answersDoor: Door = {
  name: 'answers',
  property:
    'Any answer is either read or refused by an IntegrationError with a sentence of ours, and both can be stored; no other error leaves a driver.',
  samples: [
    sample('mercadolibre sale', meliSale),
    sample('mercadolibre shipment', { ...aMeliOrder, ...aMeliShipment, status: 'paid', pack_id: null }),
    sample('mercadolibre payment', { ...meliSale, collection: { order_id: 2000009047722568 } }),
    sample('mercadolibre search', {
      results: [{ ...aMeliOrder, external_reference: 'odoo-42' }],
      paging: { total: 1, offset: 0, limit: 50 },
    }),
    sample('mercadolibre sweep', { results: [aMeliOrder], paging: { total: 1 } }),
    sample('mercadolibre missed feed', { messages: [feedRow] }),
    sample('mercadolibre account', { id: 1001, nickname: 'TIENDA', site_id: 'MLC' }),
    sample('mercadolibre items', { results: ['MLC1500000001'] }),
    sample('mercadolibre item', { id: 'MLC1500000001', user_product_id: 'MLCU12', available_quantity: 3 }),
    sample('mercadolibre stock', { locations: [{ type: 'seller_warehouse', quantity: 3, store_id: 9, network_node_id: 'N1' }] }),
    sample('mercadolibre token', token),
    sample('mercadolibre token refusal', { error: 'invalid_grant', error_description: 'used', status: 400, cause: [] }),
    sample('paris look-up', [aParisOrder]),
    sample('paris list', [aParisOrder]),
    sample('paris answer', aParisOrder),
    sample('odoo json-rpc', { jsonrpc: '2.0', id: 1, result: [{ id: 42 }] }),
    sample('odoo json-2', [{ id: 42 }]),
    sample('odoo login', { version_info: ['saas~18', 2, 0], version: 'saas~18.2' }),
    sample('odoo changes', {
      ...odooRecords,
      'sale.order.search': [42, 43],
      'stock.quant': [{ product_id: [100, 'Taza'], write_date: '2026-11-23 10:00:00' }],
    }),
    sample('retry-after', 'Wed, 21 Oct 2026 07:28:00 GMT'),
    sample('server clock', 'Wed, 21 Oct 2026 07:28:00 GMT'),
    ...refusals(),
  ],
  open: async () => ({ judge, close: async () => {} }),
}

/** Errors as the systems word them: reading them ends in an IntegrationError, which is what their sample is held against. */
function refusals(): Input[] {
  return [
    sample('mercadolibre error', { message: 'seller_sku TAZA-01 not found', error: 'seller_sku_not_found', status: 409, cause: [] }),
    sample('paris error', { detail: [{ loc: ['body', 'items', 0, 'sku'], msg: 'unknown sku', type: 'value_error.sku' }] }),
    sample('odoo json-rpc', {
      jsonrpc: '2.0',
      id: 1,
      error: { code: 200, message: 'Odoo Server Error', data: { name: 'odoo.exceptions.UserError', message: 'no' } },
    }),
    sample('odoo json-2 error', { name: 'odoo.exceptions.ValidationError', message: 'no', arguments: ['no'], context: {}, debug: 'x' }),
  ]
}

async function judge({ target, bytes }: Input): Promise<Judgement> {
  try {
    const read = await READERS[target]?.(bytes)
    holdsStorable(read, 'what was read')
    for (const id of idsIn(read)) holdsDigits(id, bytes, 'an id')
    return 'accepted'
  } catch (error) {
    if (!(error instanceof IntegrationError)) throw error
    holds(error.message !== '' && error.message.length < 600, 'an error says in a sentence what was wrong')
    const { summary, theirText, retryAfterMs: waitMs } = error.detail
    holdsStorable({ summary, theirText }, 'the error')
    holds(theirText === undefined || theirText.length <= 500, 'more than 500 characters of their text are kept')
    holds(waitMs === undefined || waitMs >= 0, 'a wait below zero')
    holds(!`${error.message}${theirText ?? ''}`.includes(CREDENTIALS.password), 'the error shows a password')
    return target.endsWith('error') || isOdooFault(error) ? 'accepted' : 'refused'
  }
}

const isOdooFault = (error: IntegrationError): boolean => error.message.startsWith('Odoo refused ')

const ID_KEYS = new Set(['externalId', 'orderKey', 'userId', 'erpId'])

function idsIn(value: unknown, depth = 0): string[] {
  if (typeof value !== 'object' || value === null || depth > 8) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    ID_KEYS.has(key) && typeof inner === 'string' ? [inner] : idsIn(inner, depth + 1),
  )
}
