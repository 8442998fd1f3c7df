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

describe('a version that waits behind an unsettled one', () => {
  const older = { state: 'ambiguous', cause: 'ambiguous-outcome', dueAt: inSeconds(30) } as const
  const versions = (change: object) => [aDelivery({ id: '18', version: 2 }), aDelivery({ ...older, ...change })]

  test('is answered with what holds the older one', () => {
    const told = diagnose(facts({ bindings: [aBinding()], deliveries: versions({ cause: 'poison' }) }))
    expect(told).toMatchObject({ cause: 'poison', nextStep: { kind: 'person-decides' } })
    expect(told.sentence).toContain('Version 2 waits behind version 1.')
    expect(told.evidence.map((e) => e.id)).toEqual(expect.arrayContaining(['17', '18']))
  })

  test('is that when it was asked for itself, and a lost answer is no queue', () => {
    const asked = facts({ bindings: [aBinding()], deliveries: versions({}), focus: { table: 'delivery', id: '18' } })
    expect(diagnose(asked)).toMatchObject({ cause: 'ambiguous-outcome' })
  })

  test('a lost answer at one target says nothing of another', () => {
    const elsewhere = [aDelivery({ id: '18' }), aDelivery({ ...older, channel: 'odoo', bindingId: '11' })]
    const { perTarget } = diagnose(facts({ channels, bindings: [aBinding()], deliveries: elsewhere }))
    expect(perTarget).toContainEqual(expect.objectContaining({ target: ML, cause: 'queued' }))
  })
})

describe('what is told back to the origin', () => {
  const report = { channel: ML, bindingId: '11' }
  const deliveries = (change: object) => [aDelivery(toOdoo), aDelivery({ ...report, id: '18', ...change })]
  const bindings = [atOdoo, aBinding({ id: '11', reference: '2000001', externalId: '2000001' })]

  test('leads when it was given up on', () => {
    const dead = { state: 'dead', cause: 'rejected-by-target', endedAt: inSeconds(-5) }
    const told = diagnose(facts({ channels, order: sale, bindings, deliveries: deliveries(dead) }))
    expect(told).toMatchObject({ cause: 'rejected-by-target', deadLetter: 'outbox-18' })
    expect(told.perTarget.map((t) => [t.target, t.cause])).toEqual([
      [ML, 'rejected-by-target'],
      ['odoo', 'delivered'],
    ])
  })

  test('stands behind the other targets when all is well, and is no verdict where nothing is told', () => {
    const well = { state: 'delivered', cause: null, endedAt: inSeconds(-5) }
    const told = diagnose(facts({ channels, order: sale, bindings, deliveries: deliveries(well) }))
    expect(told.perTarget.map((t) => t.target)).toEqual(['odoo', ML])
    const silent = diagnose(facts({ channels, order: sale, bindings: [atOdoo], deliveries: [aDelivery(toOdoo)] }))
    expect(silent.perTarget.map((t) => t.target)).toEqual(['odoo'])
  })
})

describe('the next step of a drift', () => {
  test('is a retry only where nothing was planned: of content that stands it plans none', () => {
    expect(diagnose(facts({ bindings: [], deliveries: [] })).nextStep).toMatchObject({
      kind: 'plan-repair',
      tool: { name: 'retry_failed_sync' },
    })
    const drifts = [{ id: '4', channel: ML, kind: 'content', cause: 'drift', fields: ['total'], foundAt: inSeconds(-9), resolvedAt: null }]
    const compared = facts({ deliveries: [aDelivery({ state: 'delivered', cause: null, endedAt: inSeconds(-100) })], drifts })
    expect(diagnose(compared).nextStep).toMatchObject({ kind: 'plan-repair', tool: null })
  })
})
