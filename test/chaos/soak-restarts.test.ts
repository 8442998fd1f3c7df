import { expect, test } from 'vitest'
import { restartsOf } from './soak-restarts.ts'

const broken = (): Promise<never> => Promise.reject(Object.assign(new Error('terminating connection'), { code: '57P01' }))
const deadlock = (): Promise<never> => Promise.reject(Object.assign(new Error('deadlock detected'), { code: '40P01' }))

test('a soak leaves out an act that a restart cut short, and no other', async () => {
  const clock = { ms: 0 }
  const signals: string[] = []
  let up = (): void => {}
  const restarts = restartsOf(
    (signal) => {
      signals.push(signal)
      return new Promise<void>((resolve) => (up = resolve))
    },
    () => clock.ms,
  )
  await expect(restarts.excuse(deadlock)).rejects.toThrow('deadlock detected')

  const restarted = restarts.restart()
  await restarts.excuse(broken)
  await expect(restarts.excuse(() => Promise.reject(new Error('a bug')))).rejects.toThrow('a bug')
  let fail = (): void => {}
  const outlasting = restarts.excuse(
    () => new Promise<void>((_, reject) => (fail = () => reject(Object.assign(new Error(), { code: '57P01' })))),
  )
  clock.ms = 500
  up()
  await restarted
  fail()
  await outlasting
  clock.ms = 2_499
  await restarts.excuse(broken)
  expect(restarts.excused).toBe(3)

  clock.ms = 2_500
  await expect(restarts.excuse(deadlock)).rejects.toThrow('deadlock detected')
  expect({ count: restarts.count, excused: restarts.excused, signals }).toEqual({ count: 1, excused: 3, signals: ['SIGINT'] })
})
