import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { failpoints, type PointPlan } from './failpoints.ts'
import { Fired } from './plan.ts'

const THIRD_END: Omit<PointPlan, 'record'> = {
  role: 'worker',
  point: 'mid-finish',
  nth: 3,
  action: 'throw',
  system: 'paris',
  delayMs: 0,
}

test('ends that share a commit are a hit each', async () => {
  const home = mkdtempSync(join(tmpdir(), 'rosh-failpoints-'))
  onTestFinished(() => rmSync(home, { recursive: true }))
  const record = join(home, 'fired.json')
  const points = failpoints({ ...THIRD_END, record })
  const committed = Promise.withResolvers<void>()
  const ends = ['odoo-1', 'odoo-2', 'odoo-3'].map((order) =>
    points.within({ point: 'mid-finish', channel: 'paris:main', inFlight: order }, () => committed.promise),
  )

  await expect(points.beforeCommit()).rejects.toThrow('planned at mid-finish')

  const fired = Fired.parse(JSON.parse(readFileSync(record, 'utf8')))
  expect(fired).toMatchObject({ fault: 'throw mid-finish #3', inFlight: 'odoo-3' })
  committed.resolve()
  await Promise.all(ends)
})

test('ends at another system, and those that are over, are none', async () => {
  const points = failpoints({ ...THIRD_END, nth: 1, record: '/nowhere/fired.json' })
  await points.within({ point: 'mid-finish', channel: 'paris:main', inFlight: 'odoo-1' }, () => Promise.resolve())

  const elsewhere = points.within({ point: 'mid-finish', channel: 'mercadolibre:3000000111', inFlight: 'odoo-2' }, () =>
    points.beforeCommit(),
  )

  await expect(elsewhere).resolves.toBeUndefined()
})
