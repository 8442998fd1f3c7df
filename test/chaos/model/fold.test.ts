import fc from 'fast-check'
import { expect, test } from 'vitest'
import { foldOrder, mayFulfil, mayLifecycle, mayPayment, type Observed } from '../../../src/core/fold.ts'
import { type Fragment, Fulfilment, Lifecycle, Payment } from '../../../src/core/order.ts'

const ML = 'mercadolibre:1001'
const never = (): boolean => false

/** What one source said of one order, in the order of its versions; some axes are left unsaid. */
const aHistory = fc
  .array(
    fc.record(
      { payment: fc.constantFrom(...Payment.options), fulfilment: fc.constantFrom(...Fulfilment.options), lifecycle: aLifecycle() },
      { requiredKeys: [] },
    ),
    { minLength: 1, maxLength: 14 },
  )
  .map((said) => said.map((fields, i) => seen(fields, i)))

function aLifecycle(): fc.Arbitrary<Lifecycle> {
  return fc.constantFrom(...Lifecycle.options)
}

function seen(said: Partial<Fragment>, step: number): Observed {
  const version = new Date(Date.UTC(2026, 0, 1, 0, 0, step)).toISOString()
  const fragment: Fragment = { entity: 'order', externalId: '1', orderKey: '1', version, identifiers: [], ...said }
  return { channel: ML, fetchNo: step + 1, fragment }
}

const MAY = { payment: mayPayment, fulfilment: mayFulfil, lifecycle: mayLifecycle } as const
const AXES = ['payment', 'fulfilment', 'lifecycle'] as const

test('as versions come in, the projection takes legal steps only', () => {
  fc.assert(
    fc.property(aHistory, (history) => {
      const steps = history.map((_, i) => foldOrder(ML, '1', history.slice(0, i + 1), never).order)
      expect(steps).toHaveLength(history.length)
      for (const [i, now] of steps.entries()) {
        const before = steps[i - 1]
        for (const axis of AXES)
          if (before && before[axis] !== now[axis])
            expect(MAY[axis](before[axis] as never, now[axis] as never), `${axis} ${before[axis]} to ${now[axis]}`).toBe(true)
      }
    }),
    { numRuns: 300 },
  )
})

test('what was said and not taken is named as illegal, and what is named is illegal', () => {
  fc.assert(
    fc.property(aHistory, (history) => {
      const { order, illegal } = foldOrder(ML, '1', history, never)
      for (const { axis, from, to } of illegal) expect(MAY[axis](from as never, to as never)).toBe(false)
      for (const axis of AXES) {
        const last = history.map((o) => o.fragment[axis]).findLast((value) => value !== undefined)
        const kept = last === undefined || order[axis] === last
        if (!kept) expect(illegal.some((step) => step.axis === axis && step.to === last && step.from === order[axis])).toBe(true)
      }
    }),
    { numRuns: 300 },
  )
})

test('an event that comes a day late changes the projection as if it had come in time', () => {
  fc.assert(
    fc.property(aHistory, fc.nat(), (history, at) => {
      const late = at % history.length
      const arrivals = [...history.filter((_, i) => i !== late), ...history.slice(late, late + 1)]
      expect(foldOrder(ML, '1', arrivals, never)).toEqual(foldOrder(ML, '1', history, never))
    }),
  )
})
