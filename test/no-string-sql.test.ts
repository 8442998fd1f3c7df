import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sourceFiles } from './boundaries/file-rules.ts'
import { builtSql } from './boundaries/string-sql.ts'

const root = join(import.meta.dirname, '..')

test('no SQL of the product is built from values', () => {
  // Tests create and drop databases by name, which no parameter can carry; the product never does.
  const files = ['src', 'simulators', 'bin'].flatMap((folder) => sourceFiles(root, folder)).filter((path) => !path.endsWith('.test.ts'))
  const found = files.flatMap((path) => builtSql(path, readFileSync(join(root, path), 'utf8')))
  expect(found.map(({ where, what, why }) => `${where} ${what}\n    ${why}`)).toEqual([])
})

test.each([
  ['a template', 'pool.query(`select * from orders where id = ${id}`)'],
  ['a template that starts with its part', 'pool.query(`${verb} from delivery`)'],
  ['a sum', `client.query('select * from silver_order where id = ' + id)`],
  ['a sum over several lines', `client.query('select * ' +\n 'from silver_order where id = ' + id + ' limit 1', [])`],
  ['a dynamic identifier', 'pool.query(`truncate ${table}`)'],
  ['a template in a cast', 'pool.query((`delete from ${table}`) as string)'],
  ['one branch of a choice', 'pool.query(all ? "select 1" : `select ${column} from delivery`)'],
  ['the text of a query object', 'pool.query({ text: `select ${column} from delivery`, values: [] })'],
  ['the shorthand text of a query object', 'const text = `listen ${channel}`\npool.query({ text, values: [] })'],
  ['a joined list', `pool.query(['select 1', clause].join(' '))`],
  ['a replaced placeholder', `pool.query(sql.replace(':id', id))`],
  ['a variable filled from a template', 'const sql = `select 1 where a = ${a}`\npool.query(sql)'],
  ['a variable that grows', `let sql = 'select 1'\nif (a) sql += ' where a = 1'\npool.query(sql)`],
  ['a statement handed to a wrapper', 'rows(pool, `select * from delivery where id = ${id}`)'],
  ['a statement that is only returned', 'export const claim = (n: number) => `with due as (select 1 limit ${n}) select * from due`'],
  ['a summed statement that is only returned', `export const drop = (t: string) => 'drop table ' + t`],
  ['a part that a parameter shadows', 'const column = "id"\nconst f = (column: string) => pool.query(`select ${column} from delivery`)'],
  ['a part that is no constant', 'let column = "id"\npool.query(`select ${column} from delivery`)'],
])('%s is caught', (_, text) => {
  expect(builtSql('src/drivers/postgres/seeded.ts', text).map(({ rule }) => rule)).toContain('no-string-sql')
})

test.each([
  ['a constant with parameters', `pool.query('select * from delivery where id = $1', [id])`],
  ['a constant over several lines', 'pool.query(`\n  select *\n  from delivery`)'],
  ['a list of columns written once', 'const columns = "id, state"\npool.query(`select ${columns} from delivery where id = $1`, [id])'],
  ['a constant made of constants', 'const a = "id"\nconst b = `${a}, state`\nconst claim = `select ${b} from delivery`\npool.query(claim)'],
  ['a migration read from its file', 'const sql = await readFile(path, "utf8")\nawait client.query(sql)'],
  ['a statement of a table of statements', 'pool.query(statements.claim, [limit])'],
  [
    'DDL quoted by PostgreSQL',
    `const { rows } = await client.query("select format('create database %I', $1::text) as ddl", [name])\nawait client.query(rows[0].ddl)`,
  ],
  ['a tagged template', 'const q = sql`select * from delivery where id = ${id}`'],
  ['a sentence that only begins like one', 'throw new Error(`Update ${name} and try again, or select another from the list`)'],
  ['a query of another kind', 'const url = `${base}?from=${from}`'],
])('%s passes', (_, text) => {
  expect(builtSql('src/drivers/postgres/lawful.ts', text)).toEqual([])
})
