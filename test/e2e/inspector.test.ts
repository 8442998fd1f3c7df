import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tools } from '../../src/apps/mcp-server/tools.ts'
import { packageRoot } from '../../src/home.ts'
import { deliveryOf, newErpOrder } from '../support/erp-order.ts'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

const INSPECTOR = join(import.meta.dirname, 'inspector/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js')
const installed = existsSync(INSPECTOR)
const required = process.env.REQUIRE_ALL === '1'
const reason = 'the MCP Inspector is not installed: run `npm ci --prefix test/e2e/inspector`'
if (!installed && !required) console.log(`skipped: ${reason}`)

const ML = 'mercadolibre:1001'
const TOKENS = 'the-operator-token:operator;the-viewer-token:viewer;the-admin-token:admin'
const ERAS = ['legacy', 'modern'] as const
type Era = (typeof ERAS)[number]
/** Exit codes of the Inspector: 0 well, 5 the tool answered an error, 6 `--strict` found an unportable schema. */
const TOOL_ERROR = 5

interface Run {
  code: number
  out: string
  err: string
}

test.runIf(required)('the MCP Inspector is installed', () => {
  expect(installed ? 'installed' : reason).toBe('installed')
})

// Every call starts two processes.
describe.skipIf(!installed)('the MCP Inspector against `rosh mcp`, a process of its own', { timeout: 90_000 }, () => {
  let running: RunningHub
  let orderId: string
  let deadLetter: string
  beforeAll(async () => {
    running = await startHub()
    await running.meli('POST', '/admin/unknown-skus', { skus: ['SKU-009'] })
    const { id } = await newErpOrder(running, { lines: [{ sku: 'SKU-009', quantity: 1, price: 5_000 }], client_order_ref: 'ML-98345' })
    orderId = `odoo-${id}`
    const dead = await until(async () => {
      const row = await deliveryOf(running, orderId, ML)
      return row?.state === 'dead' ? row : undefined
    })
    deadLetter = `outbox-${dead.id}`
  })
  afterAll(() => running?.stop())

  const server = [join(packageRoot, 'bin/rosh.js'), 'mcp']
  const environmentOf = (role: string): Record<string, string> => ({
    ROSH_HOME: running.home,
    ROSH_CONFIG: join(running.home, 'hub.yaml'),
    DATABASE_URL: running.database.url,
    ODOO_SIM_PORT: new URL(running.hub.config.odoo.url).port,
    MCP_STATIC_TOKENS: TOKENS,
    MCP_TOKEN: `the-${role}-token`,
    LOG_LEVEL: 'error',
  })
  const inspect = (era: Era, role: string, ...args: string[]): Promise<Run> => {
    const given = Object.entries(environmentOf(role)).flatMap(([name, value]) => ['-e', `${name}=${value}`])
    const command = [INSPECTOR, '--cli', ...given, process.execPath, ...server, '--protocol-era', era, '--format', 'json', ...args]
    // A home of its own: the Inspector keeps a catalogue of servers in it.
    const env = { PATH: process.env.PATH ?? '', HOME: running.home }
    return new Promise((resolve) => {
      execFile(process.execPath, command, { env, timeout: 60_000 }, (error, out, err) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err })
      })
    })
  }
  const call = (era: Era, role: string, name: string, args: object): Promise<Run> =>
    inspect(era, role, '--method', 'tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(args))
  const listedBy = ({ out }: Run): string[] =>
    [...out.matchAll(/"name":\s*"([a-z_]+)"/g)].map((m) => m[1] ?? '').filter((name) => tools.some((t) => t.name === name))

  test.each(ERAS)('%s: every tool is listed, and no schema has an error that --strict finds', async (era) => {
    const run = await inspect(era, 'admin', '--method', 'tools/list', '--strict')
    // What --strict finds, errors and warnings, stands on stderr: nothing does.
    expect([run.code, run.err]).toEqual([0, ''])
    expect(listedBy(run).sort()).toEqual(tools.map((t) => t.name).sort())
  })

  test.each(ERAS)('%s: a tool beyond the scopes is not listed, and the Inspector does not find it', async (era) => {
    const [list, refused] = await Promise.all([
      inspect(era, 'viewer', '--method', 'tools/list'),
      call(era, 'viewer', 'retry_failed_sync', { order_id: orderId }),
    ])
    expect(listedBy(list).sort()).toEqual(['find_failed_orders', 'get_dlq_depth', 'get_order_status', 'get_sla_metrics', 'trace_order'])
    expect(refused.code).toBe(TOOL_ERROR)
  })

  // The Inspector asks for the list first and calls nothing that is not on it; a client that does not ask meets the server's own refusal.
  test.each(ERAS)('%s: a tool beyond the scopes, called by name all the same, is denied and audited', async (era) => {
    const before = await deliveryOf(running, orderId, ML)
    const client = new Client(
      { name: 'insistent', version: '1' },
      era === 'modern' ? { versionNegotiation: { mode: { pin: '2026-07-28' } } } : {},
    )
    const env = { PATH: process.env.PATH ?? '', ...environmentOf('viewer') }
    await client.connect(new StdioClientTransport({ command: process.execPath, args: server, env, stderr: 'ignore' }))
    const denied = async (): Promise<number> => {
      const { rows } = await running.owner.query(
        `SELECT params_json FROM mcp_audit_log WHERE result_status = 'denied' AND tool_name = 'retry_failed_sync' AND scope_used IS NULL`,
      )
      expect(rows.every((row) => row.params_json.order_id === orderId)).toBe(true)
      return rows.length
    }
    const known = await denied()
    const result = await client.callTool({ name: 'retry_failed_sync', arguments: { order_id: orderId } })
    expect(result.isError).toBe(true)
    expect(JSON.stringify(result.content)).toContain('not granted to this token')
    await client.close()
    expect(await denied()).toBe(known + 1)
    expect(await deliveryOf(running, orderId, ML)).toEqual(before)
  })

  // In the order of an incident: look, look closer, repair what is not mended yet, plan the rest.
  const CALLS: [string, () => object, number, RegExp][] = [
    ['get_dlq_depth', () => ({}), 0, /sku-unknown/],
    ['find_failed_orders', () => ({ since: '24h', marketplace: 'mercadolibre' }), 0, /ML-98345|S0000/],
    ['trace_order', () => ({ order_id: 'ML-98345' }), 0, /fix-then-replay/],
    ['get_order_status', () => ({ order_id: 'ML-98345' }), 0, /mercadolibre:1001/],
    ['get_sla_metrics', () => ({ window: '24h' }), 0, /total_synced/],
    ['drain_dlq', () => ({ dry_run: true }), 0, /plan_token/],
    ['replay_dlq_message', () => ({ outbox_id: deadLetter }), 0, /pending/],
    ['retry_failed_sync', () => ({ order_id: 'ML-nothing-of-ours' }), TOOL_ERROR, /not-found-anywhere/],
  ]
  test.each(ERAS)(
    '%s: all eight tools answer',
    async (era) => {
      expect(CALLS.map(([name]) => name).sort()).toEqual(tools.map((t) => t.name).sort())
      for (const [name, args, code, says] of CALLS) {
        await until(async () => (await deliveryOf(running, orderId, ML))?.state === 'dead')
        const run = await call(era, 'admin', name, args())
        expect([name, run.code, run.out + run.err]).toEqual([name, code, expect.stringMatching(says)])
      }
    },
    120_000,
  )

  test('a mistyped tool and a bad argument end with the code of a tool error', async () => {
    const [unknown, bad] = await Promise.all([
      call('modern', 'viewer', 'no_such_tool', {}),
      call('modern', 'viewer', 'find_failed_orders', { since: 'yesterday' }),
    ])
    expect([unknown.code, bad.code]).toEqual([TOOL_ERROR, TOOL_ERROR])
    expect(bad.out + bad.err).toContain('since: write 24h, 7d or an ISO time')
  })
})
