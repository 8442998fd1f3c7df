import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writePrivately } from './private-file.ts'

let folder: string
let file: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rosh-private-'))
  file = join(folder, 'export.json')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

test('a file that was readable by everybody becomes readable by its owner alone', async () => {
  writeFileSync(file, 'old')
  chmodSync(file, 0o666)
  await writePrivately(file, 'new')
  expect([readFileSync(file, 'utf8'), modeOf(file), readdirSync(folder)]).toEqual(['new', '600', ['export.json']])
})

test('a write that breaks off leaves what was there, and nothing beside it', async () => {
  writeFileSync(file, 'old')
  async function* broken(): AsyncGenerator<string> {
    yield 'half'
    await Promise.reject(new Error('the database is gone'))
  }
  await expect(writePrivately(file, broken())).rejects.toThrow('the database is gone')
  expect([readFileSync(file, 'utf8'), readdirSync(folder)]).toEqual(['old', ['export.json']])
})

test.each([
  ['in a folder that is not there', () => join(folder, 'nowhere', 'export.json')],
  ['that is a folder', () => mkdirSync(file) ?? file],
  ['that is a link', () => symlinkSync('/etc/hostname', file) ?? file],
])('a file %s is refused in one line that names --out', async (_name, make) => {
  await expect(writePrivately(make(), 'x')).rejects.toMatchObject({
    name: 'CliError',
    exitCode: 2,
    message: expect.stringMatching(/^--out: .*cannot be written/),
  })
})
