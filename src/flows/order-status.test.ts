import { expect, test } from 'vitest'
import { aBinding, aChannelFact, aDelivery, aSilver, facts, inSeconds, ML } from '../../test/support/order-facts.ts'
import type { OrderTrace } from '../ports/order-trace.ts'
import { orderStatus } from './order-status.ts'

test('what is told back to the origin stands on the origin, once', async () => {
  const given = facts({
    order: aSilver({ origin: ML, orderKey: '2000001', route: null }),
    channels: [aChannelFact(ML), aChannelFact('odoo')],
    bindings: [aBinding({ reference: '2000001' }), aBinding({ id: '11', channel: 'odoo', externalId: '7' })],
    deliveries: [
      aDelivery({ state: 'dead', cause: 'rejected-by-target', endedAt: inSeconds(-5) }),
      aDelivery({ id: '18', channel: 'odoo', bindingId: '11', state: 'delivered', cause: null, endedAt: inSeconds(-5) }),
    ],
  })
  const trace: OrderTrace = {
    resolve: () => Promise.resolve({ kind: 'found', orderId: '1', focus: null }),
    facts: () => Promise.resolve(given),
    factsOfUnapplied: () => Promise.resolve(given),
    unmapped: () => Promise.resolve([]),
  }
  const status = await orderStatus('2000001', { trace, erp: null })
  expect(status.kind === 'status' && status.systems).toMatchObject([
    { channel: ML, role: 'origin', delivery: 'dead', cause: 'rejected-by-target' },
    { channel: 'odoo', role: 'target', delivery: 'delivered', cause: 'delivered' },
  ])
})
