import { z } from 'zod'
import { foldOrder, type Observed } from '../../../src/core/fold.ts'
import { IntegrationError } from '../../../src/core/integration-error.ts'
import { displayStatus, Fragment } from '../../../src/core/order.ts'
import { parseLossless } from '../../../src/drivers/mercadolibre/lossless-json.ts'
import { buyerOf, MeliOrder, orderFragment as meliFragment } from '../../../src/drivers/mercadolibre/order.ts'
import { MeliPack, packFragment } from '../../../src/drivers/mercadolibre/pack.ts'
import { MeliShipment, receiverOf, shipmentFragment } from '../../../src/drivers/mercadolibre/shipment.ts'
import { defaultStatusMap } from '../../../src/drivers/mercadolibre/status-map.ts'
import { parseReply } from '../../../src/drivers/http.ts'
import { readErpOrders } from '../../../src/drivers/odoo/read-orders.ts'
import { orderFragment as parisFragment, PARIS_STATUSES, ParisOrder } from '../../../src/drivers/paris/order.ts'
import { holdsDigits, holdsInstant, holdsStorable } from '../content.ts'
import { type Door, holds, type Input, type Judgement, sample } from '../door.ts'
import { aMeliOrder, aMeliPack, aMeliShipment, aParisOrder, odooRecords } from '../vendor-shapes.ts'
import { odooAnswering } from '../odoo-answering.ts'

/** Fragments of one input, with the personal fields that stand apart. */
interface Normalised {
  origin: string
  fragments: Fragment[]
  personal: unknown
}

type Normaliser = (bytes: Uint8Array) => Promise<Normalised> | Normalised

const textIn = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')
const reading = { statuses: defaultStatusMap, withReference: true }
const MELI = 'mercadolibre:1001'

const NORMALISERS: Record<string, Normaliser> = {
  'mercadolibre order': (bytes) => {
    const order = MeliOrder.parse(parseLossless(textIn(bytes)))
    return { origin: MELI, fragments: [meliFragment(order, { ...reading, missing: null })], personal: buyerOf(order) }
  },
  'mercadolibre partial order': (bytes) => {
    const order = MeliOrder.parse(parseLossless(textIn(bytes)))
    return { origin: MELI, fragments: [meliFragment(order, { ...reading, missing: ['buyer', 'tags', 'payments'] })], personal: null }
  },
  'mercadolibre pack': (bytes) => {
    const pack = MeliPack.parse(parseLossless(textIn(bytes)))
    return { origin: MELI, fragments: [packFragment(pack, defaultStatusMap)], personal: null }
  },
  'mercadolibre shipment': (bytes) => {
    const shipment = MeliShipment.parse(parseLossless(textIn(bytes)))
    return { origin: MELI, fragments: [shipmentFragment(shipment, '2000009047722568', defaultStatusMap)], personal: receiverOf(shipment) }
  },
  'paris order': (bytes) => {
    const order = parseReply(ParisOrder, { status: 200, headers: {}, text: textIn(bytes) })
    return { origin: 'paris:main', fragments: [parisFragment(order, PARIS_STATUSES)], personal: { buyerName: order.buyer } }
  },
  'odoo records': async (bytes) => {
    const { read, connection } = odooAnswering(bytes)
    const { orders, quarantined } = await readErpOrders(read, connection, ['42', '43'], ['x_store', 'name'])
    for (const record of quarantined) {
      holdsStorable(record, 'a quarantined order')
      if (record.version !== '') holdsInstant(record.version, 'the version of a quarantined order')
    }
    return { origin: 'odoo', fragments: orders.map((order) => order.fragment), personal: orders.map((order) => order.personal) }
  },
}

/** What a system answered, made into fragments of the canonical order, and folded with what was known. */
export const normalisersDoor: Door = {
  name: 'normalisers',
  property:
    'Any answer of a system becomes fragments that can be stored, read back and folded in any order to one result, or is refused by a named field; no id loses a digit.',
  samples: [
    sample('mercadolibre order', aMeliOrder),
    sample('mercadolibre partial order', aMeliOrder),
    sample('mercadolibre pack', aMeliPack),
    sample('mercadolibre shipment', aMeliShipment),
    sample('paris order', aParisOrder),
    sample('odoo records', odooRecords),
  ],
  open: async () => ({ judge, close: async () => {} }),
}

async function judge({ target, bytes }: Input): Promise<Judgement> {
  const normalised = await orRefused(() => NORMALISERS[target]?.(bytes))
  if (!normalised) return 'refused'
  holdsStorable(normalised.personal, 'personal fields')
  for (const fragment of normalised.fragments) holdsFragment(fragment, bytes)
  holdsFold(normalised)
  return normalised.fragments.length > 0 ? 'accepted' : 'refused'
}

/** Undefined where the system's answer was refused in the way that the callers know; anything else that is thrown is a bug. */
async function orRefused<T>(work: () => Promise<T> | T): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    // A RangeError of the parser alone is a body nested deeper than the stack goes, which every reader of answers takes as no JSON.
    if (error instanceof SyntaxError || (error instanceof RangeError && /call stack/.test(error.message))) return undefined
    if (error instanceof z.ZodError) return undefined
    if (!(error instanceof IntegrationError)) throw error
    holds(error.code === 'malformed-response', `refused as ${error.code}`)
    holdsStorable(error.detail, 'the refusal')
    return undefined
  }
}

function holdsFragment(fragment: Fragment, bytes: Uint8Array): void {
  holdsStorable(fragment, 'a fragment')
  const again = Fragment.safeParse(JSON.parse(JSON.stringify(fragment)))
  holds(again.success, `a stored fragment cannot be read back at "${again.error?.issues[0]?.path.join('.')}"`)
  holdsInstant(fragment.version, 'the version')
  holdsDigits(fragment.externalId, bytes, 'the id')
  if (fragment.entity !== 'shipment') holdsDigits(fragment.orderKey, bytes, 'the order key')
  for (const { kind, value } of fragment.identifiers)
    if (kind !== 'bare' && kind !== 'erp-name') holdsDigits(value, bytes, `identifier ${kind}`)
  for (const line of fragment.lines ?? []) {
    holds(/^-?\d+(\.\d+)?$/.test(line.quantity), `the quantity ${line.quantity} is no plain decimal`)
    holds(line.unitPriceMinor === null || Number.isSafeInteger(line.unitPriceMinor), 'a price is no safe whole number')
  }
}

function holdsFold({ origin, fragments }: Normalised): void {
  const [first] = fragments
  if (!first) return
  const observed: Observed[] = fragments.map((fragment, at) => ({ channel: origin, fragment, fetchNo: at + 2 }))
  const known: Observed = { channel: origin, fragment: { ...first, lifecycle: 'open', payment: 'pending', flags: [] }, fetchNo: 1 }
  const all = [known, ...observed, ...observed.slice(0, 1)]
  const once = foldOrder(origin, first.orderKey, all, () => false)
  const backwards = foldOrder(origin, first.orderKey, [...all].reverse(), () => false)
  holds(JSON.stringify(once) === JSON.stringify(backwards), 'the fold depends on the order of arrival')
  holdsStorable(once.order, 'the folded order')
  holds(displayStatus(once.order).length > 0, 'the folded order has no status to show')
}
