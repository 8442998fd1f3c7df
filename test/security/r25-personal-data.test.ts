import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { parse } from 'yaml'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { registerPersonalData } from '../../src/cli/personal-data.ts'
import { verifyChain } from '../../src/drivers/audit-chain.ts'
import { signingKey } from '../../src/checkpoints.ts'
import { packageRoot } from '../../src/home.ts'
import { type Scope, SCOPES } from '../../src/ports/audit.ts'
import type { PersonalExport } from '../../src/ports/personal-data.ts'
import { deskOf } from '../support/agent.ts'
import { mcpClient } from '../support/mcp-client.ts'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

const NICKNAME = 'CANARIA-DEL-MONTE'

let running: RunningHub
let folder: string
let order: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rosh-r25-'))
  running = await startHub({ services: ['subscriber'] })
  const made = (await running.meli('POST', '/admin/purchases', {
    seller: 1001,
    buyer: { nickname: NICKNAME },
    items: [{ sku: 'SKU-001', quantity: 1, unit_price: 5_000 }],
  })) as { order_ids: (string | number)[] }
  order = String(made.order_ids[0])
  await until(async () => (await sealedColumns()).length > 0)
  const { rows } = await running.owner.query<{ body: Buffer }>(
    `SELECT r.body FROM inbound_request r JOIN inbound_event e ON e.request_id = r.id WHERE e.order_id IS NOT NULL LIMIT 1`,
  )
  const path = `/webhooks/mercadolibre/${running.hub.config.mercadolibre.pathSecret.reveal()}`
  await fetch(running.webhooks + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: rows[0]!.body.toString() })
  await until(async () => {
    const waiting = await running.owner.query(`SELECT FROM inbound_event WHERE state = 'pending'`)
    return waiting.rowCount === 0
  })
})
afterAll(async () => {
  await running?.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function sealedColumns(): Promise<unknown[]> {
  const { rows } = await running.owner.query(
    `SELECT id FROM silver_order WHERE personal IS NOT NULL AND key_id IS NOT NULL UNION ALL SELECT id FROM observation WHERE personal IS NOT NULL`,
  )
  return rows
}

async function statusWith(scopes: Scope[]): Promise<string> {
  const desk = await deskOf(running)
  const principal = { id: 'agent', scopes: new Set(scopes), via: 'mcp-stdio' as const }
  const { client, close } = await mcpClient(
    { ports: desk, authenticate: () => Promise.resolve(principal), version: '0', onBug: () => {} },
    '2026-07-28',
  )
  const answer = await client.callTool({ name: 'get_order_status', arguments: { order_id: order } })
  await close()
  await desk.close()
  return JSON.stringify(answer)
}

async function rosh(args: string[]): Promise<string> {
  const out: string[] = []
  const print = (line: string): void => void out.push(line)
  const program = new Command('rosh').exitOverride()
  registerPersonalData(program, { env: running.env, signal: new AbortController().signal, print, progress: () => {} })
  await program.parseAsync(args, { from: 'user' })
  return out.join('\n')
}

async function exported(): Promise<string> {
  const file = join(folder, 'export.json')
  writeFileSync(file, '', { mode: 0o644 })
  await rosh(['personal-data', 'export', order, '--out', file])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  return readFileSync(file, 'utf8')
}

test('every column that can hold text has a class', async () => {
  const classes = parse(readFileSync(join(packageRoot, 'migrations', 'column-classes.yaml'), 'utf8')) as Record<
    string,
    Record<string, string[]>
  >
  const named = Object.entries(classes).flatMap(([table, of]) =>
    Object.values(of).flatMap((columns) => columns.map((column) => `${table}.${column}`)),
  )
  const { rows } = await running.owner.query<{ name: string; needs: boolean }>(
    `SELECT table_name || '.' || column_name AS name, data_type NOT IN ('bigint', 'integer', 'smallint', 'boolean', 'double precision', 'numeric', 'interval', 'xid8', 'timestamp with time zone') AS needs
     FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
  )
  const known = new Set(rows.map(({ name }) => name))
  expect(
    named.filter((name) => !known.has(name)),
    'classes of columns that are not there',
  ).toEqual([])
  expect(
    rows.filter(({ name, needs }) => needs && !named.includes(name)).map(({ name }) => name),
    'name them in migrations/column-classes.yaml',
  ).toEqual([])
  expect(new Set(named).size).toBe(named.length)
})

test('columns of the class personal hold sealed bytes alone, and no other column holds the buyer', async () => {
  const { rows } = await running.owner.query<{ table_name: string }>(
    `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
  )
  const hex = Buffer.from(NICKNAME).toString('hex')
  const holding = []
  for (const { table_name: table } of rows) {
    const { rows: dump } = await running.owner.query<{ row: string }>(`SELECT t::text AS row FROM ${table} t`)
    if (dump.some(({ row }) => row.includes(NICKNAME) || row.includes(hex))) holding.push(table)
  }
  expect(holding).toEqual([])
})

test('the buyer is shown with the scope orders.pii and masked without it', async () => {
  expect(await statusWith(SCOPES.filter((scope) => scope !== 'orders.pii'))).not.toContain(NICKNAME)
  expect(await statusWith(['orders.read', 'orders.pii'])).toContain(NICKNAME)
})

// Refused requests have no event that ties them to an order: only their bytes name it. The last one came to the door of another marketplace.
const REFUSED = { named: 'late words of the buyer', other: 'words about another order', elsewhere: 'words to Paris' }

async function refusedRequests(): Promise<void> {
  const secret = running.hub.config.mercadolibre.pathSecret.reveal()
  const post = (path: string, body: string) =>
    fetch(running.webhooks + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  await post(`/webhooks/mercadolibre/${secret}`, `{"empty":"","resource":"/orders/${order}","text":"${REFUSED.named}"`)
  await post(`/webhooks/mercadolibre/${secret}`, `{"resource":"/orders/${order}1","text":"${REFUSED.other}"`)
  await post('/webhooks/paris', `{"order_id":"${order}","text":"${REFUSED.elsewhere}"}`)
  await running.owner.query(
    `UPDATE inbound_request SET received_at = received_at - interval '30 days' WHERE verdict IN ('malformed', 'bad-signature')`,
  )
}

async function refusedBodies(): Promise<string> {
  const { rows } = await running.owner.query<{ body: Buffer | null }>(
    `SELECT body FROM inbound_request WHERE verdict IN ('malformed', 'bad-signature') ORDER BY id`,
  )
  return rows.map(({ body }) => body?.toString() ?? 'gone').join('\n')
}

test('what is held of the buyer is handed out by command', async () => {
  await refusedRequests()
  expect((await refusedBodies()).match(/words/g)).toHaveLength(3)
  const held = JSON.parse(await exported()) as PersonalExport
  expect(held.personal).toMatchObject({ buyerNickname: NICKNAME })
  expect(held.observations.map(({ personal }) => personal?.buyerNickname)).toContain(NICKNAME)
  const bodies = held.requests.map(({ body }) => body).join()
  expect(bodies).toContain('"resource"')
  expect(Object.values(REFUSED).filter((text) => bodies.includes(text))).toEqual([REFUSED.named])
})

test('erasing needs a yes, and makes the buyer unreadable for good while the audit log still verifies', async () => {
  await expect(rosh(['personal-data', 'erase', order])).rejects.toThrow('--yes')
  const { rows: before } = await running.owner.query(`SELECT personal, key_id, id FROM silver_order WHERE personal IS NOT NULL`)
  expect(JSON.parse(await rosh(['personal-data', 'erase', order, '--yes', '--json']))).toMatchObject({
    keys: 1,
    observations: expect.any(Number),
  })
  expect(await sealedColumns()).toEqual([])
  expect(await exported()).not.toContain(NICKNAME)
  expect(await statusWith([...SCOPES])).not.toContain(NICKNAME)
  const { rows: bodies } = await running.owner.query(
    `SELECT bool_or(r.body IS NOT NULL) AS raw, bool_or(r.verdict = 'duplicate') AS copies FROM inbound_request r
     WHERE r.body_sha256 IN (SELECT f.body_sha256 FROM inbound_event e JOIN inbound_request f ON f.id = e.request_id WHERE e.order_id IS NOT NULL)`,
  )
  expect(bodies).toEqual([{ raw: false, copies: true }])
  const refused = await refusedBodies()
  expect(Object.values(REFUSED).filter((text) => refused.includes(text))).toEqual([REFUSED.other, REFUSED.elsewhere])
  // Even a copy of the column from before opens no more.
  await expect(
    running.hub.sealed.open(
      running.owner,
      before[0].key_id,
      { table: 'silver_order', row: before[0].id, column: 'personal' },
      before[0].personal,
    ),
  ).resolves.toBeNull()
  const { publicKey } = signingKey(running.hub.config.secrets.auditSigningKey)
  const verdict = await verifyChain(running.hub.auditChain.rows(), { checkpoints: [], publicKey })
  expect(verdict).toMatchObject({ problems: [], rows: expect.any(Number) })
  const { rows: log } = await running.owner.query<{ body: string }>('SELECT body FROM audit')
  expect(log.map(({ body }) => body).join('\n')).toContain('rosh personal-data erase')
  expect(log.map(({ body }) => body).join('\n')).not.toContain(NICKNAME)
})

test('what a later fetch brings of an erased buyer is not kept', async () => {
  const before = await running.owner.query<{ n: number }>('SELECT max(fetch_no)::int AS n FROM observation')
  await running.meli('POST', `/admin/orders/${order}/status`, { tags: ['changed-after-the-erasure'] })
  await until(async () => {
    const { rows } = await running.owner.query<{ n: number }>('SELECT max(fetch_no)::int AS n FROM observation')
    return rows[0]!.n > before.rows[0]!.n
  })
  expect(await sealedColumns()).toEqual([])
  await running.owner.query(`UPDATE silver_order SET personal = 'x', erased_at = NULL`)
  expect(await sealedColumns()).toEqual([])
})
