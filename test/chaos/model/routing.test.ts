import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Channel } from '../../../src/core/channel.ts'
import type { ErpAttributes } from '../../../src/core/order.ts'
import { type RoutingRule, routeOrder } from '../../../src/core/routing.ts'
import { aChannel } from '../../support/flow-fixtures.ts'

const IDS = ['odoo', 'mercadolibre:1001', 'mercadolibre:1002', 'paris:main'] as const
const word = fc.constantFrom('a', 'b', 'c')

const channels: fc.Arbitrary<Channel[]> = fc
  .tuple(...IDS.map((id) => fc.record({ id: fc.constant(id), enabled: fc.boolean(), createOrder: fc.boolean() })))
  .map((all) =>
    all.map(({ id, enabled, createOrder }) => ({ ...aChannel(id), enabled, capabilities: { ...aChannel(id).capabilities, createOrder } })),
  )
const aRule: fc.Arbitrary<RoutingRule> = fc.record({
  name: fc.uuid(),
  when: fc.record(
    { team: word, tag: word, pricelist: word, company: word, field: fc.record({ name: word, value: word }) },
    { requiredKeys: [] },
  ),
  to: fc.subarray(['mercadolibre', 'paris', ...IDS]),
})
const anOrder: fc.Arbitrary<{ erp: ErpAttributes | null }> = fc.record({
  erp: fc.option(
    fc.record({
      team: fc.option(word),
      tags: fc.subarray(['a', 'b', 'c']),
      pricelist: fc.option(word),
      company: fc.option(word),
      fields: fc.dictionary(word, word),
    }),
  ),
})

/** The same, said in another way: every condition of the rule is one of what the order shows. */
function holds({ when }: RoutingRule, erp: ErpAttributes | null): boolean {
  if (erp === null) return false
  const shown = new Set([
    `team ${erp.team}`,
    `pricelist ${erp.pricelist}`,
    `company ${erp.company}`,
    ...erp.tags.map((tag) => `tag ${tag}`),
    ...Object.entries(erp.fields).map(([name, value]) => `field ${name} ${value}`),
  ])
  return Object.entries(when).every(([what, value]) =>
    shown.has(typeof value === 'object' ? `field ${value.name} ${value.value}` : `${what} ${value}`),
  )
}

test('every marketplace is either owed the order or named with the reason why not, and the first rule that holds decides', () => {
  fc.assert(
    fc.property(anOrder, fc.array(aRule, { maxLength: 4 }), channels, (order, rules, all) => {
      const route = routeOrder(order, rules, all)
      const deciding = rules.find((rule) => holds(rule, order.erp))
      expect(route.rule).toBe(deciding?.name ?? 'default')
      const named = [...route.channels, ...route.skipped.map((s) => s.channel)].sort()
      expect(named).toEqual(
        all
          .map((c) => c.id)
          .filter((id) => id !== 'odoo')
          .sort(),
      )
      for (const id of route.channels) {
        const channel = all.find((c) => c.id === id)
        expect(channel?.enabled && channel.capabilities.createOrder).toBe(true)
        if (deciding) expect(deciding.to.includes(id) || deciding.to.includes(channel?.marketplace ?? '')).toBe(true)
      }
    }),
    { numRuns: 300 },
  )
})

test('rules behind the deciding one change nothing', () => {
  const always = aRule.map((rule): RoutingRule => ({ ...rule, when: {} }))
  const classed = anOrder.filter((order) => order.erp !== null)
  fc.assert(
    fc.property(classed, always, fc.array(aRule, { maxLength: 3 }), channels, (order, first, rest, all) => {
      expect(routeOrder(order, [first, ...rest], all)).toEqual(routeOrder(order, [first], all))
    }),
  )
})
