import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CliError, errorJson } from '../../src/cli/context.ts'
import { asHubOf, runRosh } from '../support/rosh.ts'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

describe('how the rosh command answers, and what it leaves in the audit log', () => {
  let running: RunningHub
  let exitCode: typeof process.exitCode

  beforeAll(async () => {
    running = await startHub()
    await running.meli('POST', '/admin/unknown-skus', { skus: ['SKU-009'] })
    const lines = [{ sku: 'SKU-009', quantity: 1, price: 5_000 }]
    for (const client_order_ref of ['ML-4711', 'ML-4712'])
      await running.odoo('POST', '/admin/orders', { state: 'sale', team: 'MercadoLibre', client_order_ref, lines })
    await until(async () => ((await running.owner.query(`SELECT FROM delivery WHERE state = 'dead'`)).rowCount ?? 0) > 1)
    await running.owner.query(
      `INSERT INTO identifier (order_id, kind, value, channel) SELECT id, 'client-order-ref', 'TWICE', 'odoo' FROM silver_order`,
    )
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

  /** Exit code and JSON of a command, as `main.ts` makes them of what it throws. */
  async function answerOf(...args: string[]): Promise<{ exit: unknown; json: Record<string, unknown> }> {
    process.exitCode = undefined
    try {
      const json = JSON.parse(await rosh(...args, '--json')) as Record<string, unknown>
      return { exit: process.exitCode ?? 0, json }
    } catch (error) {
      if (!(error instanceof CliError)) throw error
      return { exit: error.exitCode, json: { error: errorJson(error) } }
    }
  }

  const ASKING = ['trace', 'diagnose', 'retry', 'personal-data export --out /nowhere/x', 'personal-data erase --yes']

  test.each(ASKING)('%s of what nobody knows is unknown-order with what is near, and exit code 2', async (command) => {
    expect(await answerOf(...command.split(' '), 'ML-4713')).toMatchObject({
      exit: 2,
      json: { error: { code: 'unknown-order', message: expect.stringContaining('"ML-4713"'), nearest: ['ML-4712', 'ML-4711'] } },
    })
  })

  test.each(ASKING)('%s of what names two orders is ambiguous with both, and exit code 2', async (command) => {
    const { exit, json } = await answerOf(...command.split(' '), 'TWICE')
    const candidates = ['ML-4711', 'ML-4712'].map(() => expect.objectContaining({ order: expect.stringMatching(/^hub-\d+$/) }) as unknown)
    expect([exit, json]).toEqual([2, { error: { code: 'ambiguous', message: expect.stringContaining('hub-'), candidates } }])
  })

  test('trace and diagnose of what nobody knows still say where they looked', async () => {
    for (const command of ['trace', 'diagnose'])
      expect((await answerOf(command, 'ML-4713')).json).toMatchObject({
        diagnosis: { cause: 'not-found-anywhere' },
        nearest: ['ML-4712', 'ML-4711'],
        lookedIn: expect.arrayContaining(['ERP']),
      })
  })

  test.each([
    [['dlq', 'replay', 'outbox-999999'], 2, 'unknown-dead-letter'],
    [['dlq', 'drain', '--execute', 'x', '--expect', '1'], 1, 'refused'],
    [['dlq', 'list', '--marketplace', 'ebay'], 2, 'bad-input'],
    [['tokens', 'revoke', '999999'], 2, 'unknown-token'],
    [['personal-data', 'erase', 'ML-4711'], 2, 'needs-yes'],
    [['chaos', 'list'], 3, 'hub-not-running'],
  ])('%j ends with %d and the error %s', async (args, exit, code) => {
    expect(await answerOf(...args)).toMatchObject({ exit, json: { error: { code, message: expect.stringMatching(/./) } } })
  })

  test('every command that prints a result prints it as one JSON object too', async () => {
    const out = join(running.home, 'out')
    const { id } = (await answerOf('tokens', 'issue', 'agent-2', 'viewer')).json
    expect((await answerOf('tokens', 'revoke', String(id))).json).toEqual({ id, revoked: true })
    expect((await answerOf('personal-data', 'export', 'ML-4711', '--out', out)).json).toEqual({ written: out })
    expect((await answerOf('audit', 'export', '--out', out)).json).toEqual({ written: out })
    expect((await answerOf('audit', 'checkpoint')).json).toMatchObject({ kind: expect.any(String), seq: expect.anything() })
    expect((await answerOf('audit', 'public-key')).json).toEqual({ publicKey: expect.any(String) })
    await asHubOf(running, async () => {
      expect((await answerOf('chaos', 'add', 'paris-mock', 'status', '--path', '^/nowhere$')).json).toEqual({
        simulator: 'paris-mock',
        fault: 'status',
      })
      expect((await answerOf('chaos', 'list')).json).toMatchObject({ simulators: expect.any(Array) })
      expect((await answerOf('chaos', 'clear')).json).toEqual({ cleared: ['meli-sim', 'paris-mock', 'odoo-sim'] })
    })
  })

  test('the audit log keeps what was traced under the key of the tools, and what may be of a person as a digest', async () => {
    for (const typed of ['4711', 'Av. Providencia 4711']) await rosh('trace', typed)
    const { rows } = await running.owner.query<{ params_json: unknown }>(
      `SELECT params_json FROM mcp_audit_log WHERE tool_name = 'rosh trace' ORDER BY timestamp DESC LIMIT 2`,
    )
    expect(rows.map((row) => row.params_json)).toEqual([{ order_id: expect.stringMatching(/^hmac:/) }, { order_id: '4711' }])
  })

  test('what only asks is on the record too: lists, plans, refusals, and what nobody knows', async () => {
    await rosh('dlq', 'list', '--cause', 'sku-unknown')
    await rosh('dlq', 'drain', '--cause', 'sku-unknown')
    await rosh('dlq', 'drain', '--execute', 'x', '--expect', '1')
    await rosh('dlq', 'replay', 'outbox-999999')
    await expect(rosh('retry', 'Camila Rojas')).rejects.toMatchObject({ code: 'unknown-order' })
    await expect(rosh('personal-data', 'erase', 'Camila Rojas', '--yes')).rejects.toMatchObject({ code: 'unknown-order' })
    const { rows } = await running.owner.query(
      `SELECT tool_name, params_json, result_status, error_message FROM mcp_audit_log WHERE tool_name LIKE 'rosh %' ORDER BY timestamp DESC LIMIT 6`,
    )
    expect(rows.reverse().map((row) => [row.tool_name, row.params_json, row.result_status, row.error_message])).toEqual([
      ['rosh dlq list', { cause: 'sku-unknown' }, 'ok', null],
      ['rosh dlq drain', { cause: 'sku-unknown', dry_run: true }, 'ok', null],
      ['rosh dlq drain', { dry_run: false }, 'denied', 'plan-invalid'],
      ['rosh dlq replay', { outbox_id: 'outbox-999999' }, 'error', 'unknown'],
      ['rosh retry', { order_id: expect.stringMatching(/^hmac:/) }, 'error', 'not-found-anywhere'],
      ['rosh personal-data erase', { order_id: expect.stringMatching(/^hmac:/) }, 'error', 'unknown-order'],
    ])
  })
})
