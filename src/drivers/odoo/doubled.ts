import { z } from 'zod'
import type { ErpDoubled } from '../../ports/erp.ts'
import { chunks, EVERYTHING, type Read } from './order-reading.ts'
import { odooTimeFrom, Text } from './record.ts'

const Group = z.object({ client_order_ref: Text, __count: z.number().int() })
const Named = z.object({ id: z.number().int(), origin: Text, client_order_ref: Text })
const REFERENCES_A_CALL = 500

/**
 * `sale.order` has no unique constraint, so Odoo is asked to count: orders that are not cancelled, by reference, then by origin as well. The
 * count goes over the reference alone, since Odoo groups by one field in every version.
 */
export async function doubledOrders(read: Read, fromIso: string): Promise<ErpDoubled[]> {
  const ours: unknown[] = [
    ['create_date', '>=', odooTimeFrom(fromIso)],
    ['state', '!=', 'cancel'],
    ['client_order_ref', '!=', false],
    ['origin', '!=', false],
  ]
  const counted = { domain: ours, fields: ['client_order_ref'], groupby: ['client_order_ref'], lazy: false }
  const groups = await read(z.array(Group), { model: 'sale.order', method: 'read_group', args: counted })
  const references = groups.flatMap((group) => (group.__count > 1 && group.client_order_ref ? [group.client_order_ref] : []))
  const doubled = new Map<string, ErpDoubled>()
  for (const some of chunks(references, REFERENCES_A_CALL)) {
    const domain = [...ours, ['client_order_ref', 'in', some]]
    const args = { domain, fields: ['origin', 'client_order_ref'], order: 'id asc', context: EVERYTHING }
    for (const order of await read(z.array(Named), { model: 'sale.order', method: 'search_read', args })) take(doubled, order)
  }
  return [...doubled.values()].filter(({ erpIds }) => erpIds.length > 1)
}

function take(doubled: Map<string, ErpDoubled>, { id, origin, client_order_ref }: z.infer<typeof Named>): void {
  const key = JSON.stringify([origin, client_order_ref])
  const group = doubled.get(key) ?? { origin: origin ?? '', reference: client_order_ref ?? '', erpIds: [] }
  group.erpIds.push(String(id))
  doubled.set(key, group)
}
