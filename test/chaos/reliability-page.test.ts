import { expect, test } from 'vitest'
import { cataloguePlans } from './catalogue.ts'
import { emptyRecord } from './records.ts'
import { reliabilityPage } from './reliability-page.ts'

test('a scenario that no auditor judged says so, and its head says what that means', () => {
  const [one, other] = cataloguePlans()
  if (!one || !other) throw new Error('the catalogue is empty')
  const records = new Map([
    [one.id, { ...emptyRecord(one, 'abc'), result: 'green' as const, judgedBy: 'assertions' as const }],
    [other.id, { ...emptyRecord(other, 'abc'), result: 'green' as const, judgedBy: 'auditor' as const }],
  ])
  const { text, missing } = reliabilityPage(records)
  expect(text).toContain(`| \`${one.id}\` ${one.title}, *by its own assertions* | ${one.seed} | **green** |`)
  expect(text).toContain(`| \`${other.id}\` ${other.title} | ${other.seed} | **green** |`)
  expect(text.split('## Matrix')[0]).toContain('one that says *by its own assertions*')
  expect(missing).not.toContain(one.id)
  expect(missing).toHaveLength(cataloguePlans().length - 2)
})

test('a record of another plan under the same name counts as none', () => {
  const [one] = cataloguePlans()
  if (!one) throw new Error('the catalogue is empty')
  const before = { ...emptyRecord({ ...one, seed: one.seed + 1 }, 'abc'), result: 'green' as const }
  expect(reliabilityPage(new Map([[one.id, before]])).missing).toContain(one.id)
})
