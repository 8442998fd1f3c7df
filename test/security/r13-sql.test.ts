import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sourceFiles } from '../boundaries/file-rules.ts'
import { builtSql } from '../boundaries/string-sql.ts'
import { packageRoot } from '../../src/home.ts'

const read = (path: string): string => readFileSync(join(packageRoot, path), 'utf8')

test('no statement of the product is built from values', () => {
  const files = ['src', 'simulators', 'bin']
    .flatMap((folder) => sourceFiles(packageRoot, folder))
    .filter((path) => !path.endsWith('.test.ts'))
  expect(files.length).toBeGreaterThan(100)
  expect(files.flatMap((path) => builtSql(path, read(path))).map(({ where, what }) => `${where} ${what}`)).toEqual([])
})

test('a seeded example is found', () => {
  const seeded = 'export const find = (pool: Pool, id: string) => pool.query(`SELECT * FROM delivery WHERE id = ${id}`)'
  expect(builtSql('src/drivers/postgres/seeded.ts', seeded)).toHaveLength(1)
})
