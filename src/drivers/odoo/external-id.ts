import { createHash } from 'node:crypto'
import { z } from 'zod'
import { IntegrationError } from '../../core/integration-error.ts'
import { faultOf } from './odoo-error.ts'
import type { Read } from './order-reading.ts'

/** Module of every external id that the hub writes. */
export const HUB_MODULE = 'orderhub'

/**
 * Name of an order's external id: its channel and our reference there, without dots (a dot ends the module's name). Two orders never
 * share one: where a character had to be replaced, a digest of the whole is added.
 */
export function orderSlug(channel: string, reference: string): string {
  return `${slug(channel)}_${slug(reference)}`
}

export function lineSlug(order: string, lineId: string): string {
  return `${order}_${slug(lineId)}`
}

export function partnerSlug(marketplace: string, name: string): string {
  return `partner_${slug(marketplace)}_${slug(name)}`
}

/** The record behind `orderhub.<name>`, null when there is none. Throws `rejected` when the hub user may not see that record. */
export async function resolveExternalId(read: Read, name: string): Promise<number | null> {
  try {
    const args = { module: HUB_MODULE, xml_id: name }
    const [, id] = await read(Found, { model: 'ir.model.data', method: 'check_object_reference', args })
    if (id !== false) return id
    throw new IntegrationError('rejected', {
      causeCode: 'erp-write-failing',
      summary: `the hub user may not see the record of ${HUB_MODULE}.${name}`,
    })
  } catch (error) {
    // Odoo's way to say "not there".
    if (faultOf(error) === 'ValueError') return null
    throw error
  }
}

const Found = z.tuple([z.string(), z.union([z.number().int(), z.literal(false)])])

function slug(text: string): string {
  if (/^[A-Za-z0-9-]+$/.test(text)) return text
  if (/^[a-z]+:[A-Za-z0-9-]+$/.test(text)) return text.replace(':', '_')
  return `${text.replace(/[^A-Za-z0-9-]/g, '_').slice(0, 80)}_x${createHash('sha256').update(text).digest('hex').slice(0, 12)}`
}
