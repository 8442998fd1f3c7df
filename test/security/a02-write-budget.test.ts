import { expect, test } from 'vitest'
import { callBudget } from '../../src/apps/mcp-server/call-budget.ts'

let nowMs = 0
const clock = {
  stopwatch: () =>
    (
      (from) => () =>
        nowMs - from
    )(nowMs),
  wait: () => Promise.resolve(),
  nowMs: () => nowMs,
}

test('a principal that loops a write a thousand times is stopped after its burst, and others are not', () => {
  const allows = callBudget(clock)
  const passed = Array.from({ length: 1_000 }, () => allows('looping', 'write')).filter(Boolean).length
  expect(passed).toBe(30)
  expect(allows('another', 'write')).toBe(true)
})

test('it is refilled at half a write a second, and reads do not refill it', () => {
  const allows = callBudget(clock)
  while (allows('looping', 'write'));
  const reads = []
  for (let second = 0; second < 60; second += 1) {
    nowMs += 1_000
    reads.push(allows('looping', 'read'))
  }
  expect(reads.every(Boolean)).toBe(true)
  const passed = Array.from({ length: 100 }, () => allows('looping', 'write')).filter(Boolean).length
  expect(passed).toBe(30)
})
