import { describe } from 'vitest'
import { allGreen } from './all-green.ts'
import { cataloguePlans } from './catalogue.ts'

describe('a worker whose log nobody reads delivers every order', () => {
  allGreen(cataloguePlans().filter((plan) => plan.script === 'unreadLog'))
})
