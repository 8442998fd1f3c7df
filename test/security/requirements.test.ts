import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packageRoot } from '../../src/home.ts'
import { REQUIREMENTS, requirementOf, testPrefixOf } from './requirements.ts'

const tests = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts'))
const patches = readdirSync(join(import.meta.dirname, 'without')).filter((name) => name.endsWith('.patch'))
const shown = REQUIREMENTS.filter(({ later }) => later === undefined).map(({ id }) => id)

test('every requirement has a test, a patch that takes its defence away, and a line in the review', () => {
  expect(shown.filter((id) => !tests.some((name) => name.startsWith(testPrefixOf(id))))).toEqual([])
  expect(shown.filter((id) => !patches.some((patch) => requirementOf(patch) === id))).toEqual([])
  const review = readFileSync(join(packageRoot, 'docs', 'security-review.md'), 'utf8')
  expect(shown.filter((id) => !review.includes(`| ${id} |`))).toEqual([])
})

test('no patch and no test belongs to nothing', () => {
  expect(patches.filter((patch) => !shown.includes(requirementOf(patch)))).toEqual([])
  expect(tests.filter((name) => name !== 'requirements.test.ts' && !shown.some((id) => name.startsWith(testPrefixOf(id))))).toEqual([])
})

test('every patch still applies: what it takes away is still there, as it was', () => {
  const applies = (patch: string): boolean =>
    spawnSync('git', ['apply', '--check', '-C1', join('test', 'security', 'without', patch)], { cwd: packageRoot }).status === 0
  expect(patches.filter((patch) => !applies(patch))).toEqual([])
})
