import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packageRoot } from '../../src/home.ts'

function logged(program: string): string {
  const from = (path: string): string => JSON.stringify(join(packageRoot, 'src', path))
  const imports = `import { logTo } from ${from('cli/log.ts')}
import { IntegrationError } from ${from('core/integration-error.ts')}
import { parseReply } from ${from('drivers/http.ts')}
import { sealer } from ${from('drivers/postgres/sealed-column.ts')}
import { z } from 'zod'
import pg from 'pg'
const log = logTo('info')
const CANARY = 'canary-maria-perez'
`
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', imports + program], { encoding: 'utf8', cwd: packageRoot })
  expect(run.status, run.stderr).toBe(0)
  return run.stderr
}

test('a field that is not listed is dropped, and so is a listed one that is no plain value', () => {
  const text = logged(
    `log.info({ buyer: CANARY, email: CANARY, token: CANARY, body: { a: CANARY }, channel: { deep: CANARY }, code: [CANARY], count: 3 }, 'said')`,
  )
  expect(text).toContain('"count":3')
  expect(text).not.toContain('canary')
})

test('what an error of another program quotes is not repeated', () => {
  const text = logged(`
    const failed = (work) => { try { work() } catch (error) { log.error({ err: error }, 'failed') } }
    failed(() => JSON.parse('{"name":"' + CANARY))
    failed(() => z.object({ a: z.literal('b') }).parse({ a: CANARY }))
    failed(() => { const error = new pg.DatabaseError('invalid input syntax: "' + CANARY + '"', 1, 'error'); error.code = '22P02'; error.detail = CANARY; throw error })
    failed(() => new URL(CANARY))
    failed(() => structuredClone({ [CANARY]: () => {} }))
    failed(() => { throw CANARY })
    failed(() => { throw Object.assign(new Error('x'), { name: CANARY, code: CANARY + ' with words' }) })`)
  expect(text.split('\n').filter((line) => line !== '')).toHaveLength(7)
  expect(text).not.toContain('canary')
  expect(text).toContain('"code":"22P02"')
  expect(text).toContain('"type":"SyntaxError"')
})

test('our own errors keep their sentence, which quotes nobody', () => {
  const text = logged(`
    for (const work of [
      () => { throw new IntegrationError('rejected', { summary: 'the SKU is not listed', theirText: CANARY, cause: new Error(CANARY) }) },
      () => parseReply(z.object({ a: z.string() }), { status: 200, headers: {}, text: '"' + CANARY + '"' }),
      () => sealer({ kekId: 'k', key: new Uint8Array(3) }),
    ]) { try { work() } catch (error) { log.error({ err: error }, 'failed') } }`)
  expect(text).toContain('the SKU is not listed')
  expect(text).toContain('does not fit its schema')
  expect(text).toContain('it needs 32')
  expect(text).not.toContain('canary')
})
