import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fileRuleNames, forbiddenFiles } from './boundaries/file-rules.ts'
import { forbiddenImports, importRuleNames } from './boundaries/import-rules.ts'
import { lawful, violations } from './boundaries/planted.ts'
import type { Violation } from './boundaries/violation.ts'

const root = join(import.meta.dirname, '..')
const folders = ['src', 'simulators', 'test', 'bench', 'examples', 'console', 'bin']

async function inspect(top: string): Promise<Violation[]> {
  const present = folders.filter((folder) => existsSync(join(top, folder)))
  return [...(await forbiddenImports(top, present)), ...forbiddenFiles(top, present)]
}

test('the project keeps its own walls, names and sizes', async () => {
  const found = await inspect(root)
  expect(found.map(({ rule, where, what, why }) => `${where} ${what}\n    ${rule}: ${why}`)).toEqual([])
}, 240_000)

describe('on a tree with planted violations', () => {
  let planted: string
  let found: Violation[]

  beforeAll(async () => {
    planted = realpathSync(mkdtempSync(join(tmpdir(), 'rosh-boundaries-')))
    const files = { ...lawful, ...Object.fromEntries(violations.map(({ file, text }) => [file, text])) }
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(planted, file)), { recursive: true })
      writeFileSync(join(planted, file), text)
    }
    found = await inspect(planted)
  })

  afterAll(() => rmSync(planted, { recursive: true, force: true }))

  test.each(violations)('$rule catches $file', ({ rule, file }) => {
    const caught = found.filter((one) => one.rule === rule && one.where === file)
    expect(caught).not.toEqual([])
    expect(caught[0]?.why).toMatch(/\w/)
  })

  test('nothing lawful is caught', () => {
    expect(found.filter(({ where }) => where in lawful)).toEqual([])
  })

  test('every rule is proven by a violation', () => {
    expect([...new Set(violations.map(({ rule }) => rule))].sort()).toEqual([...importRuleNames, ...fileRuleNames].sort())
  })
})
