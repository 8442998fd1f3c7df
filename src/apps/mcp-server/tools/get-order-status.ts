import { z } from 'zod'
import { isHeld } from '../../../core/order-facts.ts'
import { codeWord, untrustedText } from '../../../core/untrusted.ts'
import { type OrderStatus, orderStatus, type SystemState } from '../../../flows/order-status.ts'
import { ambiguousAnswer, OrderId, present, ResponseFormat, suggestionsOf, unreadableAnswer, Row } from '../answer.ts'
import { type Call, defineTool } from '../tool.ts'

const output = z.object({
  order_id: z.string(),
  found: z.boolean(),
  status: z.string().optional(),
  cause: z.string().optional(),
  sentence: z.string(),
  next_step: Row.optional(),
  order: Row.optional(),
  systems: z.array(Row).optional(),
  candidates: z.array(Row).optional(),
  nearest: z.array(z.string()).optional(),
  looked_in: z.array(z.string()).optional(),
  untrusted: Row.optional(),
})

/** The silver state of one order, and how each system shows it. */
export const getOrderStatus = defineTool({
  name: 'get_order_status',
  title: 'Order status',
  description:
    'Current state of one order in the hub and in each system, with the cause code. Use it for "where is my order"; for why and when, use trace_order next.',
  scope: 'orders.read',
  effect: 'read',
  input: z.strictObject({ order_id: OrderId, response_format: ResponseFormat }),
  output,
  async run({ order_id, response_format }, call) {
    const status = await orderStatus(order_id, call.ports)
    if (status.kind === 'unreadable') return unreadableAnswer()
    if (status.kind === 'ambiguous') return ambiguousAnswer(status.typed, status.candidates)
    const data = await dataOf(status, call, response_format === 'detailed')
    return {
      kind: 'answer',
      data,
      suggestions: suggestionsOf(status.diagnosis, status.facts.typed, 'get_order_status'),
      audited: false,
      held: isHeld(status.facts),
      ...(data.untrusted === undefined ? {} : { scopeUsed: 'orders.pii' }),
    }
  },
})

async function dataOf(
  { facts, diagnosis, systems, lookedIn }: OrderStatus & { kind: 'status' },
  call: Call,
  detailed: boolean,
): Promise<Record<string, unknown>> {
  const { order } = facts
  const head = {
    order_id: codeWord(facts.typed, 200),
    found: order !== null,
    cause: diagnosis.cause,
    sentence: diagnosis.sentence,
    next_step: { kind: diagnosis.nextStep.kind, sentence: diagnosis.nextStep.sentence },
  }
  if (!order) return present({ ...head, nearest: facts.nearest.map((n) => codeWord(n)), looked_in: lookedIn })
  const lines = detailed ? { lines: order.lines.map((l) => ({ sku: codeWord(l.sku), quantity: l.quantity })) } : {}
  return present({
    ...head,
    status: order.displayStatus,
    order: present({
      origin: order.origin,
      order_key: codeWord(order.orderKey),
      payment: order.payment,
      fulfilment: order.fulfilment,
      lifecycle: order.lifecycle,
      flags: order.flags,
      confirmed: order.confirmed,
      currency: order.currency,
      total_minor: order.totalMinor,
      updated_at: order.updatedAt,
      identifiers: order.identifiers.slice(0, 10).map((i) => ({ kind: i.kind, value: codeWord(i.value) })),
      ...lines,
    }),
    systems: systems.map(systemRow),
    untrusted: await buyerOf(order.id, call),
  })
}

function systemRow(s: SystemState): Record<string, unknown> {
  return present({
    channel: s.channel,
    role: s.role,
    external_id: s.externalId === null ? null : codeWord(s.externalId),
    reference: s.reference === null ? null : codeWord(s.reference),
    delivery: s.delivery,
    observed: s.observed === null ? null : codeWord(s.observed),
    observed_at: s.observedAt,
    cause: s.cause,
  })
}

// Personal fields are typed by buyers: beside the scope, they need the quarantine.
async function buyerOf(orderId: string, { principal, ports }: Call): Promise<Record<string, unknown> | null> {
  if (!principal.scopes.has('orders.pii') || !ports.personal) return null
  const personal = await ports.personal(orderId)
  if (!personal) return null
  const fields = Object.entries(personal).flatMap(([name, value]) => {
    const text = untrustedText(value, 200)
    return text ? [[name, text.text]] : []
  })
  return { buyer: Object.fromEntries(fields) as Record<string, string> }
}
