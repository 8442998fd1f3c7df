import { describe, expect, test } from 'vitest'
import { allGreen } from './all-green.ts'
import { cataloguePlans } from './catalogue.ts'

const outages = cataloguePlans().filter((plan) => plan.row === 'M5')

test('there is an outage of a minute and one of an hour', () => {
  expect(outages.map((plan) => plan.title)).toEqual(['outage of a minute', 'outage of an hour'])
})

describe('an outage of one marketplace gives nothing up, the other goes on, and the backlog drains in order', () => {
  allGreen(outages)
})
