import { Writable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { logTo } from '../../src/cli/log.ts'
import { type Scope, SCOPES } from '../../src/ports/audit.ts'
import { deskOf } from '../support/agent.ts'
import { newErpOrder } from '../support/erp-order.ts'
import { mcpClient } from '../support/mcp-client.ts'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

// One unmistakable text in every field that a buyer or a secret can stand in; then everything that comes out is searched for them.
const PEOPLE = { erp: 'Canaria Odoo Perez', meli: 'CANARIA-MELI-PEREZ' }
const SECRETS = {
  PARIS_API_SECRET: 'canary-secret-paris-webhooks',
  ML_WEBHOOK_SECRET: 'canary-secret-meli-webhooks',
  ML_WEBHOOK_PATH_SECRET: 'canary-secret-meli-path',
  ODOO_WEBHOOK_PATH_SECRET: 'canary-secret-odoo-path',
}

let running: RunningHub
let logged = ''
let orders: string[] = []

beforeAll(async () => {
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      logged += chunk.toString()
      done()
    },
  })
  running = await startHub({ env: SECRETS, log: logTo('trace', stream), seams: {} })
  const born = await newErpOrder(running, { partner: PEOPLE.erp, team: 'Paris' })
  // One that the marketplace refuses, so that errors, dead letters and other systems' words are among what is searched.
  await running.meli('POST', '/admin/unknown-skus', { skus: ['SKU-009'] })
  const refused = await newErpOrder(running, { partner: PEOPLE.erp, lines: [{ sku: 'SKU-009', quantity: 1, price: 5_000 }] })
  await refuseRepeating(PEOPLE.erp)
  const repeated = await newErpOrder(running, { partner: PEOPLE.erp, team: 'Paris' })
  const bought = (await running.meli('POST', '/admin/purchases', {
    seller: 1001,
    buyer: { nickname: PEOPLE.meli },
    items: [{ sku: 'SKU-002', quantity: 1, unit_price: 15_990 }],
  })) as { order_ids: (number | string)[] }
  orders = [`odoo-${born.id}`, `odoo-${refused.id}`, `odoo-${repeated.id}`, String(bought.order_ids[0])]
  await fetch(`${running.webhooks}/webhooks/mercadolibre/${SECRETS.ML_WEBHOOK_PATH_SECRET}`, { method: 'POST', body: '{"broken' })
  await fetch(`${running.webhooks}/webhooks/paris`, {
    method: 'POST',
    headers: { 'x-paris-signature': SECRETS.PARIS_API_SECRET },
    body: '{}',
  })
  await until(async () => {
    const { rows } = await running.owner.query<{ settled: number; dead: number }>(
      `SELECT count(*) FILTER (WHERE state = 'delivered')::int AS settled, count(*) FILTER (WHERE state = 'dead')::int AS dead FROM delivery`,
    )
    return rows[0]!.settled >= 2 && rows[0]!.dead >= 2
  })
})
afterAll(() => running?.stop())

/** Paris takes what it was sent before, and refuses the next order in the words of its framework, which repeat what was sent. */
async function refuseRepeating(buyer: string): Promise<void> {
  await until(
    async () => (await running.owner.query(`SELECT FROM delivery WHERE channel = 'paris:main' AND state = 'delivered'`)).rowCount === 1,
  )
  const body = JSON.stringify({ detail: [{ loc: ['body', 'buyer'], msg: 'not a valid buyer', type: 'value_error', input: buyer }] })
  await running.paris('PUT', '/admin/faults', [{ match: { method: 'POST', path: '^/orders$' }, fault: 'status', status: 422, body }])
}

function foundIn(text: string): string[] {
  const wanted = [...Object.values(PEOPLE), ...Object.values(SECRETS)]
  const forms = (one: string) => [one, Buffer.from(one).toString('hex'), Buffer.from(one).toString('base64').slice(0, -4)]
  return wanted.filter((one) => forms(one).some((form) => text.includes(form)))
}

test('no table of the database holds them unsealed', async () => {
  const { rows: tables } = await running.owner.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`,
  )
  const leaks = []
  for (const { name } of tables) {
    const { rows } = await running.owner.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)
    for (const { row } of rows) leaks.push(...foundIn(row).map((one) => `${name}: ${one}`))
  }
  expect(leaks).toEqual([])
})

test('no log line holds them, at the most talkative level', () => {
  expect(foundIn(logged)).toEqual([])
})

test('no tool says them without the scope, and the scope lets the buyer through', async () => {
  const say = async (scopes: readonly Scope[]): Promise<string> => {
    const desk = await deskOf(running)
    const principal = { id: 'agent', scopes: new Set(scopes), via: 'mcp-stdio' as const }
    const { client, close } = await mcpClient(
      { ports: desk, authenticate: () => Promise.resolve(principal), version: '0', onBug: () => {} },
      '2026-07-28',
    )
    const answers = [
      await client.listTools(),
      await client.callTool({ name: 'find_failed_orders', arguments: {} }),
      await client.callTool({ name: 'get_dlq_depth', arguments: {} }),
    ]
    for (const order_id of orders)
      for (const name of ['get_order_status', 'trace_order']) answers.push(await client.callTool({ name, arguments: { order_id } }))
    answers.push(await client.callTool({ name: 'retry_failed_sync', arguments: { order_id: orders[1] } }))
    await close()
    await desk.close()
    return JSON.stringify(answers)
  }
  expect(await say(SCOPES)).toContain('not a valid buyer')
  expect(foundIn(await say(SCOPES.filter((scope) => scope !== 'orders.pii')))).toEqual([])
  expect(foundIn(await say(['orders.read', 'orders.pii']))).toContain(PEOPLE.meli)
})

test('a name that was typed in place of an order or a marketplace is not kept in the audit log', async () => {
  const desk = await deskOf(running)
  const principal = { id: 'agent', scopes: new Set(SCOPES), via: 'mcp-stdio' as const }
  const { client, close } = await mcpClient(
    { ports: desk, authenticate: () => Promise.resolve(principal), version: '0', onBug: () => {} },
    '2026-07-28',
  )
  for (const order_id of [PEOPLE.meli, PEOPLE.erp]) await client.callTool({ name: 'trace_order', arguments: { order_id } })
  await client.callTool({ name: 'find_failed_orders', arguments: { marketplace: PEOPLE.meli } })
  await close()
  await desk.close()
  const { rows } = await running.owner.query<{ body: string }>('SELECT body FROM audit')
  expect(rows.length).toBeGreaterThanOrEqual(3)
  expect(foundIn(rows.map(({ body }) => body).join('\n'))).toEqual([])
})

test('no answer of the public listener holds them', async () => {
  const answers = []
  for (const path of ['/health', '/health/ready', '/health/deep', '/webhooks/paris', '/webhooks/odoo/x', '/nothing'])
    answers.push(await (await fetch(running.webhooks + path)).text())
  expect(foundIn(answers.join('\n'))).toEqual([])
})
