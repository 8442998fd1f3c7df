import { spawnSync } from 'node:child_process'
import { sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Command } from 'commander'
import { registerAudit } from '../../src/cli/audit.ts'
import { CliError } from '../../src/cli/context.ts'
import { checkpointPath, checkpointsOf, signingKey } from '../../src/checkpoints.ts'
import { type Config, loadConfig } from '../../src/config.ts'
import { checkpointFile } from '../../src/drivers/audit-files.ts'
import { postgresAudit } from '../../src/drivers/postgres/audit.ts'
import { postgresAuditChain } from '../../src/drivers/postgres/audit-reader.ts'
import { connect, type Pool, ROLES } from '../../src/drivers/postgres/pool.ts'
import { checkpointAudit } from '../../src/flows/checkpoint-audit.ts'
import { packageRoot } from '../../src/home.ts'
import type { Principal } from '../../src/ports/audit.ts'
import { cloneDatabase, type TestDatabase } from '../support/database.ts'

const principal: Principal = { id: 'p-1', scopes: new Set(['dlq.replay']), via: 'cli' }
let database: TestDatabase
let home: string
let config: Config
let owner: Pool
let operator: Pool
let auditor: Pool
let publicKey: string
let exported: string[]

beforeAll(async () => {
  database = await cloneDatabase()
  home = mkdtempSync(join(tmpdir(), 'rosh-r24-'))
  writeFileSync(join(home, 'hub.yaml'), '{}')
  config = loadConfig({ ROSH_HOME: home, ROSH_CONFIG: join(home, 'hub.yaml'), DATABASE_URL: database.url }, { demo: false })
  const pool = (url: string, role: 'rosh_operator' | 'rosh_auditor' | null) => connect({ url, role, max: 1, applicationName: 'r24' })
  owner = pool(database.migratorUrl, null)
  operator = pool(database.url, 'rosh_operator')
  auditor = pool(database.url, 'rosh_auditor')
  await write(6)
  await signHead()
  await write(6)
  await signHead()
  await write(2)
  publicKey = (await rosh(['audit', 'public-key'])).out.trim()
  await rosh(['audit', 'export', '--out', file('whole')])
  exported = readFileSync(file('whole'), 'utf8').trimEnd().split('\n')
})
afterAll(async () => {
  await Promise.all([owner, operator, auditor].map((pool) => pool?.end()))
  await database?.drop()
  rmSync(home, { recursive: true, force: true })
})

const file = (name: string): string => join(home, `${name}.jsonl`)
const signHead = () => checkpointAudit(postgresAuditChain(auditor), checkpointsOf(config))

async function write(rows: number): Promise<void> {
  const audit = postgresAudit(operator)
  for (let i = 0; i < rows; i += 1)
    await audit.record({ principal, tool: 'trace_order', scopeUsed: null, params: { order_id: `ñ-${i}` } }, { result: 'ok', latencyMs: 1 })
}

interface Ran {
  code: number
  out: string
}

const variables = () => ({ ROSH_HOME: home, ROSH_CONFIG: join(home, 'hub.yaml'), DATABASE_URL: database.url })

/** The command in this process: it only prints and leaves an exit code. */
async function rosh(args: string[], env: Record<string, string> = {}): Promise<Ran> {
  const out: string[] = []
  const print = (line: string): void => void out.push(line)
  const program = new Command('rosh').exitOverride()
  registerAudit(program, { env: { ...variables(), ...env }, signal: new AbortController().signal, print, progress: print })
  const before = process.exitCode
  try {
    process.exitCode = undefined
    await program.parseAsync(args, { from: 'user' })
    return { code: Number(process.exitCode ?? 0), out: out.join('\n') }
  } catch (error) {
    return { code: error instanceof CliError ? error.exitCode : 1, out: String(error) }
  } finally {
    process.exitCode = before
  }
}

/** The command as a person runs it. */
function roshAlone(args: string[], env: Record<string, string>): Ran {
  const run = spawnSync(process.execPath, [join(packageRoot, 'src', 'main.ts'), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  })
  return { code: run.status ?? -1, out: run.stdout + run.stderr }
}

const signedHeads = (): string => readFileSync(checkpointPath(config), 'utf8')

/** The offline check: another home, no database that answers. */
async function verify(
  rows: string[],
  checkpoints = signedHeads(),
  key = publicKey,
  run: (args: string[], env: Record<string, string>) => Ran | Promise<Ran> = rosh,
): Promise<Ran> {
  writeFileSync(file('altered'), rows.map((row) => `${row}\n`).join(''))
  writeFileSync(file('checkpoints'), checkpoints)
  const elsewhere = { ROSH_HOME: join(home, 'elsewhere'), DATABASE_URL: 'postgresql://127.0.0.1:1/none' }
  return run(['audit', 'verify', '--export', file('altered'), '--checkpoints', file('checkpoints'), '--public-key', key], elsewhere)
}

test('an untouched export verifies without a database', async () => {
  expect(exported).toHaveLength(14)
  const { code, out } = await verify(exported, undefined, undefined, roshAlone)
  expect(out).toContain('14 rows, 2 signed heads, 0 problems; head 14')
  expect(code).toBe(0)
})

test('one changed byte is found, wherever it stands', async () => {
  for (const [from, to] of [
    ['"result\\":\\"ok', '"result\\":\\"oK'],
    ['"actor":"p-1"', '"actor":"p-2"'],
    ['"at":"20', '"at":"21'],
  ] as const) {
    const rows = exported.with(4, exported[4]!.replace(from, to))
    expect(rows[4]).not.toBe(exported[4])
    const { code, out } = await verify(rows)
    expect(out).toContain('row 5 was changed')
    expect(code).toBe(1)
  }
})

test('a removed row and a swapped pair are found', async () => {
  expect(await verify(exported.toSpliced(3, 1))).toMatchObject({ code: 1, out: expect.stringContaining('row 5 stands where row 4 is due') })
  expect(await verify(exported.with(6, exported[7]!).with(7, exported[6]!))).toMatchObject({ code: 1 })
  expect(await verify(exported.slice(1))).toMatchObject({ code: 1 })
})

test('a tail that was cut off, and a head older than the last signed one, are found', async () => {
  expect(await verify(exported.slice(0, 13))).toMatchObject({ code: 0 })
  expect(await verify(exported.slice(0, 11))).toMatchObject({ code: 1, out: expect.stringContaining('row 12, signed on') })
  expect(await verify([])).toMatchObject({ code: 1 })
})

test('a chain written anew from the middle, whole in itself, is found by what was signed', async () => {
  await owner.query('ALTER TABLE audit DISABLE TRIGGER USER')
  await owner.query('CREATE TABLE kept AS SELECT * FROM audit; CREATE TABLE kept_head AS SELECT * FROM audit_head')
  await owner.query(`DELETE FROM audit WHERE seq > 4; UPDATE audit_head SET seq = 4, hash = (SELECT hash FROM audit WHERE seq = 4)`)
  await owner.query('ALTER TABLE audit ENABLE TRIGGER USER')
  await write(12)
  try {
    expect(await rosh(['audit', 'verify'])).toMatchObject({ code: 1, out: expect.stringContaining('the chain was written anew') })
    expect(await signHead()).toEqual({ kind: 'broken', seq: '12' })
    expect(await rosh(['audit', 'checkpoint'])).toMatchObject({ code: 1 })
  } finally {
    await owner.query('ALTER TABLE audit DISABLE TRIGGER USER')
    await owner.query(`DELETE FROM audit; INSERT INTO audit SELECT * FROM kept;
      UPDATE audit_head SET (seq, hash) = (SELECT seq, hash FROM kept_head); DROP TABLE kept, kept_head`)
    await owner.query('ALTER TABLE audit ENABLE TRIGGER USER')
  }
  expect(await rosh(['audit', 'verify'])).toMatchObject({ code: 0 })
})

test('a signed head that was forged, or signed by another key, is found', async () => {
  const checkpoints = readFileSync(checkpointPath(config), 'utf8')
  expect(await verify(exported, checkpoints.replace('"seq":"12"', '"seq":"13"'))).toMatchObject({
    code: 1,
    out: expect.stringContaining('no signature'),
  })
  const another = Buffer.alloc(32, 9).toString('base64url')
  expect((await verify(exported, checkpoints, another)).code).not.toBe(0)
  expect(await verify([...exported.slice(0, 3), 'nonsense'])).toMatchObject({ code: 1, out: expect.stringContaining('line 4 is no row') })
})

test('no signed head at all is no proof, of an empty export neither', async () => {
  expect(await verify(exported, '')).toMatchObject({ code: 1, out: expect.stringContaining('no signed heads') })
  expect(await verify([], '')).toMatchObject({ code: 1 })
})

test('a signed head that was taken out of the file is missed by the one behind it', async () => {
  const [first = '', second = ''] = signedHeads().trimEnd().split('\n')
  expect(await verify(exported, `${second}\n`)).toMatchObject({ code: 1, out: expect.stringContaining('a signed head was removed') })
  expect(await verify(exported, `${second}\n${first}\n`)).toMatchObject({ code: 1 })
})

test('a tail that is cut off the export and the signed heads alike is found by a head that was kept elsewhere', async () => {
  const [first = ''] = signedHeads().split('\n')
  const cut = (newest: string[]) => verify(exported.slice(0, 11), `${first}\n`, publicKey, (args, env) => rosh([...args, ...newest], env))
  const whole = await verify(exported)
  const head = /head (\d+:[0-9a-f]{64})/.exec(whole.out)?.[1] ?? ''
  // Offline nothing else can tell: the docs say so.
  expect(await cut([])).toMatchObject({ code: 0 })
  expect(await cut(['--newest', head])).toMatchObject({
    code: 1,
    out: expect.stringContaining('row 14, which --newest names, is not there'),
  })
  expect(await cut(['--newest', '14:nonsense'])).toMatchObject({ code: 2 })
})

test('signed heads of an older release are read, and what is signed after them covers the last of them', async () => {
  const key = signingKey(config.secrets.auditSigningKey)
  const { seq, hash } = JSON.parse(exported[5] ?? '') as { seq: string; hash: string }
  const at = '2026-11-23T09:00:00.000Z'
  const signature = sign(null, Buffer.from(`rosh audit checkpoint 1\n${seq}\n${hash}\n${at}`), key.privateKey).toString('base64')
  writeFileSync(file('older'), `${JSON.stringify({ seq, hash, at, signature })}\n`)
  await checkpointAudit(postgresAuditChain(auditor), checkpointFile(file('older'), key))
  const [old = '', signed = ''] = readFileSync(file('older'), 'utf8').trimEnd().split('\n')
  expect(await verify(exported, `${old}\n${signed}\n`)).toMatchObject({ code: 0 })
  expect(await verify(exported, `${signed}\n`)).toMatchObject({ code: 1 })
})

test('signing does not begin in silence where rows stand already', async () => {
  const chain = postgresAuditChain(auditor)
  const log = checkpointFile(file('emptied'), signingKey(config.secrets.auditSigningKey))
  expect(await checkpointAudit(chain, log)).toEqual({ kind: 'begun', seq: '14' })
  expect(await checkpointAudit(chain, log)).toEqual({ kind: 'unchanged', seq: '14' })
})

test('a tail that is cut off the table is found by the head of the database', async () => {
  await owner.query('ALTER TABLE audit DISABLE TRIGGER USER')
  await owner.query('CREATE TABLE kept AS SELECT * FROM audit WHERE seq > 12; DELETE FROM audit WHERE seq > 12')
  try {
    expect(await rosh(['audit', 'verify'])).toMatchObject({
      code: 1,
      out: expect.stringContaining('row 14, which the head in the database names'),
    })
  } finally {
    await owner.query('INSERT INTO audit SELECT * FROM kept; DROP TABLE kept')
    await owner.query('ALTER TABLE audit ENABLE TRIGGER USER')
  }
})

test('neither a role nor the owner can change, remove or truncate a row', async () => {
  for (const sql of ['UPDATE audit SET actor = $$x$$', 'DELETE FROM audit', 'TRUNCATE audit']) {
    await expect(owner.query(sql)).rejects.toThrow('append-only')
    for (const role of ROLES) {
      const pool = connect({ url: database.url, role, max: 1, applicationName: 'r24 role' })
      // By the grant, before any trigger.
      await expect(pool.query(sql)).rejects.toThrow('permission denied')
      await pool.end()
    }
  }
})

const ELSEWHERE = `
  CREATE TEMP TABLE elsewhere (seq bigint, at timestamptz, actor text, body text, prev bytea, hash bytea, operation_id text, phase text);
  CREATE TRIGGER chained BEFORE INSERT ON elsewhere FOR EACH ROW EXECUTE FUNCTION public.audit_chain();
  INSERT INTO elsewhere (actor, body) VALUES ('x', '{}')`

test('the head moves with a row of the audit log alone, whoever borrows its trigger', async () => {
  const head = async () => (await owner.query('SELECT seq, hash FROM audit_head')).rows
  const before = await head()
  for (const role of ROLES) {
    const pool = connect({ url: database.url, role, max: 1, applicationName: 'r24 borrowed trigger' })
    await expect(pool.query(ELSEWHERE)).rejects.toMatchObject({ code: '42501' })
    await pool.end()
  }
  await expect(owner.query(ELSEWHERE)).rejects.toThrow('chains the audit log alone')
  expect(await head()).toEqual(before)
})
