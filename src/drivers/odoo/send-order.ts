import { z } from 'zod'
import type { Operation } from '../../core/delivery.ts'
import type { DesiredOrder } from '../../core/desired.ts'
import { IntegrationError } from '../../core/integration-error.ts'
import type { Sent, Shown, Wanted } from '../../ports/target.ts'
import { noteOf } from './chatter.ts'
import type { CallContext, OdooClient } from './client.ts'
import type { Connection } from './connection.ts'
import { type Ingredients, lineLoad, LoadAnswer, loadedId, orderLoad, partnerLoad, productQuestion, type TaxMode } from './create-order.ts'
import { lineWorkIn } from './line-work.ts'
import { faultOf } from './odoo-error.ts'
import { OrderExtra, trackingWork } from './order-steps.ts'

export interface SendSettings {
  client: OdooClient
  taxMode: TaxMode
  /** What the look-up before found out for a create. */
  ingredients: { get(wanted: Wanted): Ingredients | undefined; set(wanted: Wanted, found: Ingredients): void }
  /** Told when Odoo did not do what it was asked for, so that the next look-up knows. */
  declined(orderId: string, operation: 'confirm' | 'cancel', writeDate: string): void
}

interface Sending {
  wanted: Wanted
  desired: DesiredOrder
  shown: Shown
  connection: Connection
  context: CallContext
}

/** Exactly one request. What it changed is told by the look-up that follows: an answer of Odoo proves nothing. */
export async function sendOrder(settings: SendSettings, operation: Operation, sending: Sending): Promise<Sent> {
  if (operation === 'create') return await sendCreate(settings, sending)
  if (sending.shown.kind === 'absent') throw new Error(`${operation} needs an order that a look-up found`)
  const target: Found = { id: Number(sending.shown.externalId), extra: OrderExtra.parse(sending.shown.content.extra) }
  switch (operation) {
    case 'confirm':
      return await sendAction(settings, 'confirm', sending, target)
    case 'cancel':
      return await sendAction(settings, 'cancel', sending, target)
    case 'note':
      return await sendNote(settings, sending, target)
    case 'track':
      return await sendTracking(settings, sending, target)
    case 'update':
      return await sendLines(settings, sending, target)
    case 'stock':
      throw new IntegrationError('unsupported', { summary: `Odoo takes no ${operation} from the hub` })
  }
}

interface Found {
  id: number
  extra: OrderExtra
}

async function sendCreate(
  { client, taxMode, ingredients }: SendSettings,
  { wanted, desired, connection, context }: Sending,
): Promise<Sent> {
  const found = ingredients.get(wanted)
  if (!found) throw new Error('a create needs the look-up before it')
  if (found.problem) return await proveUnknownSku(client, found.problem.sku, context)
  if (found.partner.kind === 'to-create') {
    const answer = await client.write(LoadAnswer, partnerLoad(found.partner), context)
    const id = loadedId(answer, `the generic partner "${found.partner.name}"`)
    ingredients.set(wanted, { ...found, partner: { kind: 'known', id } })
    return { externalId: null, shown: { kind: 'absent' } }
  }
  const call = orderLoad(wanted, desired, { partnerId: found.partner.id, products: found.products, taxMode, schema: connection.schema })
  const answer = await client.write(LoadAnswer, call, context)
  return { externalId: String(loadedId(answer, `the order ${wanted.reference}`)), shown: null }
}

// New lines first; the look-up that follows finds what is left to take back.
async function sendLines(settings: SendSettings, sending: Sending, { id, extra }: Found): Promise<Sent> {
  const { client, taxMode, ingredients } = settings
  const { wanted, desired, connection, context } = sending
  const { missing, surplus } = lineWorkIn(extra.lineWork)
  if (missing.length === 0) {
    // Through the order, not the line: only then Odoo tells the warehouse that there is less to deliver.
    const vals = { order_line: surplus.map((line) => [1, line.id, { product_uom_qty: 0 }]) }
    await client.write(z.unknown(), { model: 'sale.order', method: 'write', ids: [id], args: { vals } }, context)
    return { externalId: String(id), shown: null }
  }
  const found = ingredients.get(wanted)
  if (!found) throw new Error('appended lines need the look-up before them')
  if (found.problem) return await proveUnknownSku(client, found.problem.sku, context)
  const call = lineLoad(wanted, desired, { orderId: id, lineIds: missing, products: found.products, taxMode, schema: connection.schema })
  loadedId(await client.write(LoadAnswer, call, context), `the lines that ${extra.name} lacks`)
  return { externalId: String(id), shown: null }
}

const Products = z.array(z.object({ id: z.number().int() }))

// The refusal must be Odoo's own and of now, so the one request of this send asks it again.
async function proveUnknownSku(client: OdooClient, sku: string, context: CallContext): Promise<never> {
  const products = await client.read(Products, productQuestion([sku]), context)
  if (products.length === 1)
    throw new IntegrationError('conflict', {
      causeCode: 'sku-unknown',
      summary: `the SKU "${sku}" has just appeared in Odoo: reading again`,
    })
  const problem = products.length === 0 ? 'names no product' : `names ${products.length} products`
  throw new IntegrationError('rejected', { causeCode: 'sku-unknown', summary: `the SKU "${sku}" ${problem} in Odoo` })
}

async function sendAction(settings: SendSettings, operation: 'confirm' | 'cancel', sending: Sending, { id, extra }: Found): Promise<Sent> {
  const { connection, context } = sending
  const silent = operation === 'cancel' && connection.schema.cancelAsks ? { args: { context: { disable_cancel_warning: true } } } : {}
  try {
    const call = { model: 'sale.order', method: `action_${operation}`, ids: [id], ...silent }
    const answer = await settings.client.write(z.unknown(), call, context)
    if (isWizard(answer)) settings.declined(String(id), operation, extra.writeDate)
    return { externalId: String(id), shown: null }
  } catch (error) {
    throw doubted(settings, operation, { id, extra }, { error, twiceFails: connection.schema.confirmTwiceFails })
  }
}

// An action dict asks a person something: nothing happened.
function isWizard(answer: unknown): boolean {
  return typeof answer === 'object' && answer !== null && 'type' in answer && String(answer.type).startsWith('ir.actions.')
}

// Some versions refuse to confirm what is confirmed: only the state tells that from a real refusal, so it is read again first.
function doubted(
  settings: SendSettings,
  operation: 'confirm' | 'cancel',
  { id, extra }: Found,
  { error, twiceFails }: { error: unknown; twiceFails: boolean },
): unknown {
  const gone = error instanceof IntegrationError && error.code === 'not-found'
  if (!gone && !(operation === 'confirm' && twiceFails && faultOf(error) === 'UserError')) return error
  if (!gone) settings.declined(String(id), operation, extra.writeDate)
  const { detail } = error as IntegrationError
  return new IntegrationError('conflict', detail)
}

async function sendNote({ client }: SendSettings, { wanted, desired, connection, context }: Sending, { id }: Found): Promise<Sent> {
  const note = noteOf(wanted, desired)
  if (!note) throw new Error('a note needs a fulfilment')
  const args = { body: note.html, ...(connection.schema.bodyIsHtmlFlag ? { body_is_html: true } : {}) }
  await client.write(z.unknown(), { model: 'sale.order', method: 'message_post', ids: [id], args }, context)
  return { externalId: String(id), shown: null }
}

async function sendTracking({ client }: SendSettings, { desired, context }: Sending, { id, extra }: Found): Promise<Sent> {
  const { write } = trackingWork(desired, extra)
  const args = { vals: { carrier_tracking_ref: desired.tracking } }
  await client.write(z.unknown(), { model: 'stock.picking', method: 'write', ids: write, args }, context)
  return { externalId: String(id), shown: null }
}
