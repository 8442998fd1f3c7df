import { z } from 'zod'
import { IntegrationError } from '../../core/integration-error.ts'
import { type CallOptions, readAnswer, type Transport } from './transport.ts'

const MODELS = [
  'sale.order',
  'sale.order.line',
  'stock.picking',
  'stock.move',
  'stock.quant',
  'product.product',
  'res.partner',
  'account.move',
] as const
export type OdooModel = (typeof MODELS)[number]

/** What this server's models hold, asked with the hub's own rights: names are derived from it, never from the version. */
export interface OdooSchema {
  has(model: OdooModel, field: string): boolean
  /** Models that do not exist here or that the hub user may not read. */
  missing: OdooModel[]
  /** `tax_id` until 18, `tax_ids` from 19. */
  lineTaxField: string
  /** `message_post` escapes its body unless told that it is HTML (from 17). */
  bodyIsHtmlFlag: boolean
  /** `action_cancel` asks a person about every confirmed order unless told not to (from 15). */
  cancelAsks: boolean
  /** A second `action_confirm` is a UserError instead of True (seen on 19, so doubted from 15 on). */
  confirmTwiceFails: boolean
}

const Fields = z.record(z.string(), z.unknown())

/** Asks `fields_get` of the eight models. Throws `unavailable` naming the module when the ones that orders need are absent. */
export async function readSchema(send: Transport, major: number, call: CallOptions): Promise<OdooSchema> {
  const fields = new Map<OdooModel, Set<string>>()
  for (const model of MODELS) {
    const names = await fieldNames(send, model, call)
    if (names) fields.set(model, names)
  }
  const has = (model: OdooModel, field: string): boolean => fields.get(model)?.has(field) ?? false
  const missing = MODELS.filter((model) => !fields.has(model))
  const needed = missing.filter((model) => model === 'sale.order' || model === 'sale.order.line' || model === 'product.product')
  if (needed.length > 0)
    throw new IntegrationError('unavailable', {
      summary: `Odoo has no ${needed.join(', ')} for this user: the module "sale" is missing or closed`,
    })
  return {
    has,
    missing,
    lineTaxField: has('sale.order.line', 'tax_ids') ? 'tax_ids' : 'tax_id',
    bodyIsHtmlFlag: major >= 17,
    cancelAsks: major >= 15,
    confirmTwiceFails: major >= 15,
  }
}

async function fieldNames(send: Transport, model: OdooModel, call: CallOptions): Promise<Set<string> | undefined> {
  try {
    const question = { model, method: 'fields_get', args: { attributes: ['type'] } }
    return new Set(Object.keys(readAnswer(Fields, await send(question, call), question)))
  } catch (error) {
    if (error instanceof IntegrationError && (error.code === 'rejected' || error.code === 'not-found')) return undefined
    throw error
  }
}
