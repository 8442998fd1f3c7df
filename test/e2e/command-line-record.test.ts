import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { runRosh } from '../support/rosh.ts'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

describe('what the rosh command leaves behind', () => {
  let running: RunningHub
  let exitCode: typeof process.exitCode

  beforeAll(async () => {
    running = await startHub()
    await running.meli('POST', '/admin/unknown-skus', { skus: ['SKU-009'] })
    const lines = [{ sku: 'SKU-009', quantity: 1, price: 5_000 }]
    await running.odoo('POST', '/admin/orders', { state: 'sale', team: 'MercadoLibre', client_order_ref: 'ML-4711', lines })
    await until(async () => (await running.owner.query(`SELECT FROM delivery WHERE state = 'dead'`)).rowCount)
  })
  afterAll(() => running.stop())
  beforeEach(() => {
    exitCode = process.exitCode
    return () => {
      process.exitCode = exitCode
    }
  })

  async function rosh(...args: string[]): Promise<string> {
    const printed: string[] = []
    await runRosh(running, args, (line) => printed.push(line))
    return printed.join('\n')
  }

  test('the audit log keeps what was traced under the key of the tools, and what may be of a person as a digest', async () => {
    for (const typed of ['4711', 'Av. Providencia 4711']) await rosh('trace', typed)
    const { rows } = await running.owner.query<{ params_json: unknown }>(
      `SELECT params_json FROM mcp_audit_log WHERE tool_name = 'rosh trace' ORDER BY timestamp DESC LIMIT 2`,
    )
    expect(rows.map((row) => row.params_json)).toEqual([{ order_id: expect.stringMatching(/^sha256:/) }, { order_id: '4711' }])
  })

  test('what only asks is on the record too: lists, plans, refusals, and what nobody knows', async () => {
    await rosh('dlq', 'list', '--cause', 'sku-unknown')
    await rosh('dlq', 'drain', '--cause', 'sku-unknown')
    await rosh('dlq', 'drain', '--execute', 'x', '--expect', '1')
    await rosh('dlq', 'replay', 'outbox-999999')
    await rosh('retry', 'Camila Rojas')
    const { rows } = await running.owner.query(
      `SELECT tool_name, params_json, result_status, error_message FROM mcp_audit_log WHERE tool_name LIKE 'rosh %' ORDER BY timestamp DESC LIMIT 5`,
    )
    expect(rows.reverse().map((row) => [row.tool_name, row.params_json, row.result_status, row.error_message])).toEqual([
      ['rosh dlq list', { cause: 'sku-unknown' }, 'ok', null],
      ['rosh dlq drain', { cause: 'sku-unknown', dry_run: true }, 'ok', null],
      ['rosh dlq drain', { dry_run: false }, 'denied', 'plan-invalid'],
      ['rosh dlq replay', { outbox_id: 'outbox-999999' }, 'error', 'unknown'],
      ['rosh retry', { order_id: expect.stringMatching(/^sha256:/) }, 'error', 'not-found-anywhere'],
    ])
  })
})
