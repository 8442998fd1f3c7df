import { describe, expect, test } from 'vitest'
import { createFaults, faultRule } from './faults.ts'

const post = { method: 'POST', path: '/orders', body: '{"buyer":"Ana"}' }
const get = { method: 'GET', path: '/orders/p-1', body: '' }

function fired(rule: object, times: number, subject = post): boolean[] {
  const faults = createFaults(7)
  faults.add(faultRule.parse(rule))
  return Array.from({ length: times }, () => faults.forRequest(subject) !== null)
}

describe('faults', () => {
  test('a rule without a match meets every request', () => {
    expect(fired({ fault: 'hang' }, 2)).toEqual([true, true])
  })

  test('method, path and body must all match', () => {
    const match = { method: 'post', path: '^/orders$', body: 'Ana' }
    expect(fired({ fault: 'hang', match }, 1)).toEqual([true])
    expect(fired({ fault: 'hang', match }, 1, get)).toEqual([false])
    expect(fired({ fault: 'hang', match: { ...match, body: 'Luis' } }, 1)).toEqual([false])
  })

  test('skip lets the first hits through and times ends the rule', () => {
    expect(fired({ fault: 'reset', skip: 1, times: 2 }, 5)).toEqual([false, true, true, false, false])
  })

  test('probability draws are the same for the same seed', () => {
    const first = fired({ fault: 'reset', probability: 0.5 }, 40)
    expect(first).toEqual(fired({ fault: 'reset', probability: 0.5 }, 40))
    expect(first).toContain(true)
    expect(first).toContain(false)
  })

  test('webhook rules do not touch requests, nor request rules webhooks', () => {
    const faults = createFaults()
    faults.replace([faultRule.parse({ fault: 'lost-webhook', times: 1 })])
    expect(faults.forRequest(post)).toBeNull()
    expect(faults.forWebhook(post)?.fault).toBe('lost-webhook')
    expect(faults.forWebhook(post)).toBeNull()
    expect(faults.list()).toMatchObject([{ fault: 'lost-webhook', hits: 1 }])
    faults.clear()
    expect(faults.list()).toEqual([])
  })

  test('a wrong rule names its field', () => {
    const problems = (rule: object) => faultRule.safeParse(rule).error?.issues.map((issue) => issue.path.join('.'))
    expect(problems({ fault: 'nonsense' })).toEqual(['fault'])
    expect(problems({ fault: 'hang', match: { path: '(' } })).toEqual(['match.path'])
    expect(problems({ fault: 'late' })).toEqual(['ms'])
    expect(problems({ fault: 'hang', tmies: 1 })).toEqual([''])
  })
})
