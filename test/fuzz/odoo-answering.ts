import { z } from 'zod'
import { IntegrationError } from '../../src/core/integration-error.ts'
import { parseReply } from '../../src/drivers/http.ts'
import type { Connection } from '../../src/drivers/odoo/connection.ts'
import type { Read } from '../../src/drivers/odoo/order-reading.ts'
import { readAnswer } from '../../src/drivers/odoo/transport.ts'

const Answers = z.record(z.string(), z.unknown())

/** An Odoo that answers every read of a model with what the input holds for it: `{"sale.order": [...]}`, or `{"sale.order.search": [...]}`. */
export function odooAnswering(bytes: Uint8Array): { read: Read; connection: Connection } {
  const answers = parseReply(Answers, { status: 200, headers: {}, text: Buffer.from(bytes).toString('utf8') })
  const read: Read = async (schema, call) => {
    const named = `${call.model}.${call.method}`
    return readAnswer(schema, answers[Object.hasOwn(answers, named) ? named : call.model] ?? [], call)
  }
  const schema = {
    has: () => true,
    missing: [],
    lineTaxField: 'tax_id',
    bodyIsHtmlFlag: false,
    cancelAsks: false,
    confirmTwiceFails: false,
  }
  const send = (): Promise<never> => Promise.reject(new IntegrationError('unsupported', { summary: 'nothing is sent here' }))
  return { read, connection: { version: '14.0', major: 14, transport: 'json-rpc', uid: 2, send, schema } }
}
