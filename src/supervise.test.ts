import { expect, test } from 'vitest'
import { systemClock } from './drivers/system-clock.ts'
import { supervise, Wake } from './supervise.ts'

const quiet = { info: () => {}, warn: () => {}, error: () => {} }

function aLoop(wake = new Wake()) {
  const stop = new AbortController()
  return { stop, wake, loop: { name: 'test', clock: systemClock, log: quiet, wake, everyMs: 60_000, signal: stop.signal } }
}

test('a round that answers again is followed at once, an idle one waits for a wake', async () => {
  const { stop, wake, loop } = aLoop()
  let rounds = 0
  const ended = supervise(loop, async () => {
    rounds += 1
    if (rounds === 4) stop.abort()
    if (rounds === 3) wake.wake()
    return rounds < 3 ? 'again' : 'idle'
  })
  await ended
  expect(rounds).toBe(4)
})

test('one failure never ends a loop, and is logged once', async () => {
  const { stop, loop } = aLoop()
  const logged: unknown[] = []
  let rounds = 0
  await supervise({ ...loop, log: { ...quiet, error: (fields) => logged.push(fields) } }, async () => {
    rounds += 1
    if (rounds === 1) throw new Error('once')
    stop.abort()
    return 'idle'
  })
  expect(rounds).toBe(2)
  expect(logged).toMatchObject([{ loop: 'test', failures: 1 }])
})

test('a wake that came before the wait is not lost', async () => {
  const { stop, wake } = aLoop()
  wake.wake()
  await wake.wait(60_000, systemClock, stop.signal)
  stop.abort()
  await wake.wait(60_000, systemClock, stop.signal)
  expect(stop.signal.aborted).toBe(true)
})
