import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { packageRoot } from '../../src/home.ts'

// Below the repository, so that the files find vitest; `out` is ignored by git.
mkdirSync(join(packageRoot, 'out'), { recursive: true })
const folder = mkdtempSync(join(packageRoot, 'out', 'closing-line-'))

afterAll(() => rmSync(folder, { recursive: true }))

function lastLine(name: string, source: string): { line: string | undefined; code: number | null } {
  writeFileSync(join(folder, `${name}.test.ts`), `import { afterAll, beforeAll, describe, test } from 'vitest'\n${source}`)
  writeFileSync(
    join(folder, 'vitest.config.ts'),
    `import { ClosingLine } from '../../test/support/closing-line.ts'
export default { test: { include: ['*.test.ts'], reporters: ['default', new ClosingLine()] } }`,
  )
  const vitest = join(packageRoot, 'node_modules', 'vitest', 'vitest.mjs')
  const { stdout, status } = spawnSync(process.execPath, [vitest, 'run', '--root', folder, name], { encoding: 'utf8' })
  return { line: stdout.trimEnd().split('\n').at(-1), code: status }
}

test('the last line counts what passed, failed and was skipped, alone on its line', () => {
  const source = `test('a', () => {}); test('b', () => {}); test('c', () => { throw new Error('no') }); test.skip('d', () => {}); test.todo('e')`
  expect(lastLine('mixed', source)).toEqual({ line: '2 passed, 1 failed, 2 skipped', code: 1 })
  expect(lastLine('fine', `test('a', () => {}); afterAll(() => console.log('late words'))`)).toEqual({
    line: '1 passed, 0 failed',
    code: 0,
  })
})

test('a file that cannot load, a failed hook and a stray error each count as failed', () => {
  expect(lastLine('unloadable', `throw new Error('broken')`)).toEqual({ line: '0 passed, 1 failed', code: 1 })
  expect(lastLine('hook', `describe('x', () => { beforeAll(() => { throw new Error('no') }); test('a', () => {}) })`)).toEqual({
    line: '0 passed, 1 failed, 1 skipped',
    code: 1,
  })
  expect(
    lastLine('stray', `test('a', async () => { void Promise.reject(new Error('stray')); await new Promise((r) => setTimeout(r, 20)) })`),
  ).toEqual({
    line: '1 passed, 1 failed',
    code: 1,
  })
})
