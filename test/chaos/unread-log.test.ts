import { describe } from 'vitest'
import { allGreen } from './all-green.ts'
import { cataloguePlans } from './catalogue.ts'

const plans = cataloguePlans().filter((plan) => plan.script === 'unreadLog')

// None where the row cannot run: it needs Linux.
describe.skipIf(plans.length === 0)('a worker whose log nobody reads delivers every order', () => {
  allGreen(plans)
})
