import { expect, test } from 'vitest'
import { cataloguePlans } from './catalogue.ts'
import { queuesOf } from './run-all.ts'

test('what measures memory runs when no other does, and nothing is left out', () => {
  const plans = cataloguePlans()
  const { beside, alone } = queuesOf(plans)
  expect(alone.map(([, plan]) => plan.row)).toEqual(['W7'])
  expect([...beside, ...alone].sort(([one], [other]) => one - other).map(([, plan]) => plan)).toEqual(plans)
})
