import { beforeEach, expect, test } from 'vitest'
import { type Restarts, restartsOf } from './soak-restarts.ts'

const refusal = (code: string): Promise<never> => Promise.reject(Object.assign(new Error(`refused with ${code}`), { code }))
const broken = (): Promise<never> => refusal('57P01')
const deadlock = (): Promise<never> => refusal('40P01')

let clockMs: number
let signals: string[]
let up: () => void
let restarts: Restarts

beforeEach(() => {
  clockMs = 0
  signals = []
  restarts = restartsOf(
    (signal) => {
      signals.push(signal)
      return new Promise<void>((resolve) => (up = resolve))
    },
    () => clockMs,
  )
})

async function restart(): Promise<void> {
  const restarted = restarts.restart()
  up()
  await restarted
}

test('work that fails while PostgreSQL is down, or that was begun then, was cut short by the restart', async () => {
  let fail = (): void => {}
  const restarted = restarts.restart()
  await restarts.excuse(broken)
  const outlasting = restarts.excuse(
    () => new Promise<void>((_, reject) => (fail = () => reject(Object.assign(new Error(), { code: '57P01' })))),
  )
  clockMs = 500
  up()
  await restarted
  fail()
  await outlasting
  clockMs = 2_499
  await restarts.excuse(broken)
  expect({ excused: restarts.excused, failures: restarts.failures }).toEqual({ excused: 3, failures: [] })
})

test('a deadlock long after a restart, and a bug during one, are failures; the soak goes on', async () => {
  await restart()
  clockMs = 2_000
  await restarts.excuse(deadlock)
  const restarted = restarts.restart()
  await restarts.excuse(() => Promise.reject(new Error('a bug')))
  up()
  await restarted
  expect(restarts.excused).toBe(0)
  expect(restarts.failures).toEqual([expect.stringContaining('refused with 40P01'), expect.stringContaining('a bug')])
})

test('no free connection is no defect of what was asked, and counted by itself', async () => {
  await restarts.excuse(() => Promise.reject(new Error('timeout exceeded when trying to connect')))
  expect({ excused: restarts.excused, unconnected: restarts.unconnected, failures: restarts.failures }).toEqual({
    excused: 0,
    unconnected: 1,
    failures: [],
  })
})

test('every other restart is a hard one', async () => {
  await restart()
  await restart()
  expect({ count: restarts.count, signals }).toEqual({ count: 2, signals: ['SIGINT', 'SIGQUIT'] })
})
