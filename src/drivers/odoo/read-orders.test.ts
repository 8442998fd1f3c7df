import { expect, test } from 'vitest'
import { IntegrationError } from '../../core/integration-error.ts'
import type { Connection } from './connection.ts'
import { faultError } from './odoo-error.ts'
import type { Read } from './order-reading.ts'
import { readErpOrders } from './read-orders.ts'
import type { OdooCall } from './transport.ts'

const connection: Connection = {
  version: '14.0',
  major: 14,
  transport: 'json-rpc',
  uid: 6,
  send: () => Promise.reject(new Error('not asked')),
  schema: { has: () => true, missing: [], lineTaxField: 'tax_id', bodyIsHtmlFlag: false, cancelAsks: false, confirmTwiceFails: false },
}

const rowOf = (id: number) => ({
  id,
  name: `S${id}`,
  state: 'draft',
  write_date: '2026-11-23 10:00:00',
  client_order_ref: false,
  origin: false,
  amount_total: 0,
  currency_id: [45, 'CLP'],
  partner_id: false,
  order_line: [],
  create_uid: [9, 'Ana'],
  write_uid: [9, 'Ana'],
})

/** Answers orders by id; `spoilt` makes Odoo fail on whole records, as a broken computed field does. */
function reader(spoilt: (ids: number[]) => IntegrationError | undefined, rows = rowOf as (id: number) => Record<string, unknown>): Read {
  const answer = ({ model, args = {} }: OdooCall): unknown => {
    if (model !== 'sale.order') return []
    const ids = (args.domain as [string, string, number[]][])[0]?.[2] ?? []
    const failure = (args.fields as string[]).includes('amount_total') ? spoilt(ids) : undefined
    if (failure) throw failure
    return ids.map(rows)
  }
  return async (schema, call) => schema.parse(answer(call))
}
const ids = Array.from({ length: 9 }, (_, n) => String(n + 1))

test('an order on which Odoo itself fails stands alone, and the others are read', async () => {
  const broken = (asked: number[]) =>
    asked.includes(3) ? faultError({ className: 'builtins.ZeroDivisionError', message: 'x' }, 'sale.order.search_read') : undefined
  const batch = await readErpOrders(reader(broken), connection, ids, [])
  expect(batch.orders.map((o) => o.fragment.externalId)).toEqual(ids.filter((id) => id !== '3'))
  expect(batch.quarantined).toEqual([
    expect.objectContaining({ erpId: '3', erpName: 'S3', field: 'sale.order', version: '2026-11-23T10:00:00.000Z' }),
  ])
  expect(batch.missing).toEqual([])
})

test('without the right to read, no order is called bad', async () => {
  const closed = () => faultError({ className: 'odoo.exceptions.AccessError', message: 'x' }, 'sale.order.search_read')
  await expect(readErpOrders(reader(closed), connection, ids, [])).rejects.toMatchObject({ code: 'rejected' })
  const down = () => new IntegrationError('unavailable')
  await expect(readErpOrders(reader(down), connection, ids, [])).rejects.toMatchObject({ code: 'unavailable' })
})

test('a record of another shape is quarantined, naming the field', async () => {
  const odd = (id: number) => ({ ...rowOf(id), ...(id === 2 ? { amount_total: 'many' } : {}) })
  const batch = await readErpOrders(
    reader(() => undefined, odd),
    connection,
    ids,
    [],
  )
  expect(batch.orders).toHaveLength(8)
  expect(batch.quarantined).toEqual([expect.objectContaining({ erpId: '2', field: 'amount_total', version: '2026-11-23T10:00:00.000Z' })])
})
