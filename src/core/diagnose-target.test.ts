import { describe, expect, test } from 'vitest'
import { aBinding, aChannelFact, aDelivery, aSilver, facts, inSeconds, ML } from '../../test/support/order-facts.ts'
import { diagnose } from './diagnosis.ts'

const sale = aSilver({ origin: ML, orderKey: '2000001', route: null })
const channels = [aChannelFact(ML), aChannelFact('odoo')]
const atOdoo = aBinding({ channel: 'odoo', reference: '2000001', externalId: '7' })
const toOdoo = { channel: 'odoo', state: 'delivered', cause: null, endedAt: inSeconds(-100) } as const

describe('an order whose payment went back', () => {
  test('is not called owed to the ERP, nor unpaid', () => {
    const { perTarget } = diagnose(facts({ channels, order: { ...sale, payment: 'refunded' }, bindings: [] }))
    expect(perTarget).toMatchObject([{ target: 'odoo', cause: 'on-hold' }])
    expect(perTarget[0]?.sentence).toContain('refunded: its payment went back')
  })

  test('and that Odoo confirmed before is not called unconfirmed', () => {
    const deliveries = [aDelivery({ ...toOdoo, id: '18', version: 2, confirm: false }), aDelivery({ ...toOdoo, confirm: true })]
    const told = facts({ channels, order: { ...sale, payment: 'charged_back' }, bindings: [atOdoo], deliveries })
    expect(diagnose(told).perTarget).toMatchObject([{ target: 'odoo', cause: 'delivered' }])
    const [never] = diagnose({ ...told, deliveries: deliveries.slice(0, 1) }).perTarget
    expect(never).toMatchObject({ cause: 'on-hold' })
    expect(never?.sentence).toContain('payment charged_back')
  })
})
