import { afterAll, describe, expect, test } from 'vitest'
import type { Broken } from './broken/broken.ts'
import { BROKEN_ERPS } from './broken/erps.ts'
import { BROKEN_REPORTS } from './broken/reports.ts'
import { BROKEN_SOURCES } from './broken/sources.ts'
import { BROKEN_TARGETS } from './broken/targets.ts'
import { BROKEN_WEBHOOKS } from './broken/webhooks.ts'
import { erpConformance } from './erp.ts'
import { marketplaceConformance } from './marketplace.ts'
import { memoryWorld } from './memory-world.ts'
import { type Suite, suiteOf } from './suite.ts'

/** Whoever breaks a promise is found by the sentence of it. */
function findsBroken<World>(port: string, broken: Broken<World>[], suiteFor: (make: () => Promise<World>) => Suite): void {
  describe(`the suite of ${port}`, () => {
    const opened: Suite[] = []
    afterAll(async () => {
      for (const suite of opened) await suite.close()
    })

    test.for(broken)('turns red over: $breaks', async ({ make, red }) => {
      const suite = suiteFor(() => Promise.resolve(make()))
      opened.push(suite)
      for (const promise of red) {
        const check = suite.checks.find((one) => one.promise === promise)
        if (!check) throw new Error(`the suite has no promise "${promise}"`)
        const end = await check.run().catch((error: unknown) => error)
        expect({ promise, isRed: end instanceof Error }).toEqual({ promise, isRed: true })
      }
    })
  })
}

const BROKEN_MARKETPLACES = [...BROKEN_TARGETS, ...BROKEN_REPORTS, ...BROKEN_SOURCES, ...BROKEN_WEBHOOKS]
const marketplaces = (make: () => Promise<ReturnType<typeof memoryWorld>>): Suite => suiteOf(() => marketplaceConformance('broken', make))
findsBroken('a Marketplace', BROKEN_MARKETPLACES, marketplaces)
findsBroken('an Erp', BROKEN_ERPS, (make) => suiteOf(() => erpConformance('broken', make)))

test('every promise of a Marketplace is broken by some driver, or is a fault that stands for others', () => {
  const red = new Set(BROKEN_MARKETPLACES.flatMap((one) => one.red))
  const never = marketplaces(() => Promise.resolve(memoryWorld())).checks.flatMap(({ promise }) => (red.has(promise) ? [] : [promise]))
  expect(never.filter((promise) => !/^a (send|look-up) that meets /.test(promise))).toEqual([])
})
