import { expect, test } from 'vitest'
import type { AuditReport } from './auditor/audit.ts'
import { unjudged } from './judge.ts'

const reportWith = (note: string | null, blindness: number): AuditReport =>
  ({ judged: { I8: { breaches: 0, excepted: 0, note }, I9: { breaches: 0, excepted: 0, note: null } }, blindness }) as AuditReport

test('a run is called not judged when an invariant was not looked at, or the sampler mostly saw nothing', () => {
  expect(unjudged(reportWith(null, 0.5))).toEqual([])
  expect(unjudged(reportWith('no sessions in --samples', 0))).toEqual(['I8 was not judged whole: no sessions in --samples'])
  expect(unjudged(reportWith(null, 0.51))).toEqual(['the sampler was blind in 51 % of its looks'])
})
