import { expect, test } from 'vitest'
import { rateLimit } from './rate-limit.ts'

test('a source may burst, then gets its rate, and others are not touched', () => {
  const limit = rateLimit({ perSecond: 2, burst: 3 })
  expect([0, 0, 0, 0].map((at) => limit.take('a', at))).toEqual(['passed', 'passed', 'passed', 'limited'])
  expect(limit.take('b', 0)).toBe('passed')
  expect([500, 500, 1_000].map((at) => limit.take('a', at))).toEqual(['passed', 'limited-again', 'passed'])
})

test('a flood is told once a second', () => {
  const limit = rateLimit({ perSecond: 1, burst: 1 })
  limit.take('a', 0)
  const told = Array.from({ length: 1_000 }, () => limit.take('a', 10)).filter((passage) => passage === 'limited')
  expect(told).toHaveLength(1)
})

test('a clock that jumps back takes nothing away', () => {
  const limit = rateLimit({ perSecond: 1, burst: 2 })
  expect(limit.take('a', 10_000)).toBe('passed')
  expect(limit.take('a', 0)).toBe('passed')
})

test('thirty thousand sources take bounded room, and the busy one is not forgotten', () => {
  const limit = rateLimit({ perSecond: 0.001, burst: 1 })
  limit.take('busy', 0)
  const busy: string[] = []
  for (let i = 0; i < 30_000; i += 1) {
    limit.take(`source ${i}`, 0)
    if (i % 1_000 === 0) busy.push(limit.take('busy', 0))
  }
  expect(busy).not.toContain('passed')
  expect(limit.take('source 0', 0)).toBe('passed')
})
