import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Desk, openDesk } from '../../src/desk.ts'
import { type Agent, agentOf, deskOf, type Reply } from '../support/agent.ts'
import { type DeliveryRow, deliveryOf, newErpOrder } from '../support/erp-order.ts'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

const ML = 'mercadolibre:1001'
const PARIS = 'paris:main'

describe('repairs through MCP', () => {
  let running: RunningHub
  let desk: Desk
  let agent: Agent
  beforeAll(async () => {
    running = await startHub({ env: { OUTBOX_MAX_ATTEMPTS: '2' } })
    desk = await deskOf(running)
    agent = await agentOf(desk, 'operator')
  })
  afterAll(async () => {
    await agent?.close()
    await desk?.close()
    await running?.stop()
  })

  const inState = (reference: string, channel: string, ...states: string[]): Promise<DeliveryRow> =>
    until(async () => {
      const row = await deliveryOf(running, reference, channel)
      return row && states.includes(row.state) ? row : undefined
    })
  /** Orders that a marketplace's own ledger says were ever created under a reference. */
  const createdUnder = async (ledger: string, reference: string): Promise<number> => {
    const lines = (await readFile(ledger, 'utf8')).split('\n').filter((line) => line !== '')
    const entries = lines.map((line) => JSON.parse(line) as { kind: string; act?: string; reference?: string | null })
    return entries.filter((e) => e.kind === 'order' && e.act === 'created' && e.reference === reference).length
  }
  const auditOf = async (
    reply: Reply,
  ): Promise<{ phase: string; actor: string; body: { tool: string; result?: string; params?: unknown; effect?: unknown } }[]> => {
    const { rows } = await running.owner.query(`SELECT phase, actor, body::jsonb AS body FROM audit WHERE operation_id = $1 ORDER BY seq`, [
      reply.data.operation_id,
    ])
    return rows
  }
  const next = async (orderId: string, tool: string): Promise<Record<string, unknown>> => {
    const { suggestedActions, next_step } = await agent.trace(orderId)
    const action = suggestedActions.find((a) => a.toolName === tool)
    if (!action) throw new Error(`${tool} is not suggested: ${next_step.sentence}`)
    return action.arguments
  }

  test('a repair from a process that was started with other rules plans by the hub’s own', async () => {
    const { id } = await newErpOrder(running, { team: 'Web' })
    const orderOf = async () => (await running.owner.query('SELECT id FROM silver_order WHERE order_key = $1', [String(id)])).rows[0]
    await until(orderOf)
    const { config } = running.hub
    const elsewhere = await openDesk({ ...config, file: { ...config.file, routing: [] } }, running.database.url)
    const other = await agentOf(elsewhere, 'operator')
    const reply = await other.call('retry_failed_sync', { order_id: `odoo-${id}`, reason: 'why is it not there' })
    await other.close()
    await elsewhere.close()
    expect(reply).toMatchObject({ isError: true, text: expect.stringMatching(/^nothing-to-retry: /) })
    const { rows } = await running.owner.query(`SELECT FROM binding WHERE reference = $1`, [`odoo-${id}`])
    expect(rows).toEqual([])
  })

  test('a SKU is listed again, the call that the trace named delivers the order, and only once', async () => {
    await running.meli('POST', '/admin/unknown-skus', { skus: ['SKU-009'] })
    const { id } = await newErpOrder(running, { lines: [{ sku: 'SKU-009', quantity: 1, price: 5_000 }] })
    const reference = `odoo-${id}`
    const dead = await inState(reference, ML, 'dead')
    expect(await agent.trace(reference)).toMatchObject({
      cause: 'sku-unknown',
      next_step: { kind: 'fix-then-replay' },
      dead_letter: `outbox-${dead.id}`,
    })
    const call = await next(reference, 'replay_dlq_message')
    expect(call).toEqual({ outbox_id: `outbox-${dead.id}` })
    await running.meli('DELETE', '/admin/unknown-skus')
    const reply = await agent.call('replay_dlq_message', { ...call, reason: 'SKU-009 is listed again' })
    expect(reply).toMatchObject({ isError: false, data: { state: 'pending', cause_before: 'sku-unknown' } })
    const done = await inState(reference, ML, 'delivered')
    expect(done.id).toBe(dead.id)
    expect(await createdUnder(running.ledgers.meli, reference)).toBe(1)
    expect(await auditOf(reply)).toMatchObject([
      { phase: 'intent', actor: 'agent-operator', body: { tool: 'replay_dlq_message', params: call, reason: 'SKU-009 is listed again' } },
      {
        phase: 'outcome',
        body: { result: 'ok', effect: { before: { state: 'dead', cause: 'sku-unknown' }, after: { state: 'pending' } } },
      },
    ])
    // MercadoLibre tells of the new order at once; the trace is quiet when that is applied too.
    const after = await until(async () => {
      const trace = await agent.trace(reference)
      return trace.cause === 'delivered' ? trace : undefined
    })
    expect(after.timeline?.some((entry) => entry.what.includes('replay_dlq_message'))).toBe(true)

    const again = await agent.call('replay_dlq_message', call)
    expect(again.isError).toBe(true)
    expect(again.text).toContain('not-dead')
    expect(await deliveryOf(running, reference, ML)).toEqual(done)
    expect(await createdUnder(running.ledgers.meli, reference)).toBe(1)
  })

  test('retry_failed_sync("12345") delivers ML-12345 once its refusal is lifted, and a second one changes nothing', async () => {
    const { id } = await newErpOrder(running, { client_order_ref: 'ML-12345', state: 'draft' })
    const reference = `odoo-${id}`
    await running.meli('POST', '/admin/refuse-references', { references: [reference], message: 'the buyer is blocked' })
    await running.odoo('POST', `/admin/orders/${id}/confirm`)
    const dead = await inState(reference, ML, 'dead')
    expect(await agent.trace('ML-12345')).toMatchObject({ cause: 'rejected-by-target', dead_letter: `outbox-${dead.id}` })
    await running.meli('DELETE', '/admin/refuse-references')
    const reply = await agent.call('retry_failed_sync', { order_id: '12345' })
    expect(reply).toMatchObject({ isError: false, data: { changed: 1, replayed: [`outbox-${dead.id}`], planned: 0 } })
    const done = await inState(reference, ML, 'delivered')
    expect(await auditOf(reply)).toMatchObject([
      { phase: 'intent', body: { tool: 'retry_failed_sync', params: { order_id: '12345' } } },
      { phase: 'outcome', body: { result: 'ok', effect: { replayed: [`outbox-${dead.id}`] } } },
    ])
    const again = await agent.call('retry_failed_sync', { order_id: '12345' })
    expect(again.isError).toBe(true)
    expect(again.text).toContain('nothing-to-retry')
    expect(await deliveryOf(running, reference, ML)).toEqual(done)
    expect(await createdUnder(running.ledgers.meli, reference)).toBe(1)
  })

  test('what a worker has in hand and what has an unknown outcome are refused, and settle by themselves as one order', async () => {
    await running.paris('POST', '/admin/faults', { match: { method: 'POST', path: '^/orders$' }, fault: 'accept-then-hang', times: 1 })
    await running.paris('POST', '/admin/faults', { match: { method: 'GET', path: '^/orders' }, fault: 'html' })
    const { id } = await newErpOrder(running, { team: 'Paris' })
    const reference = `odoo-${id}`
    const sent = await inState(reference, PARIS, 'ambiguous')
    const outboxId = `outbox-${sent.id}`
    const inHand = await agent.call('replay_dlq_message', { outbox_id: outboxId })
    expect(inHand.text).toMatch(/^in-flight: Not replayed/)

    const unleased = `SELECT FROM delivery WHERE id = $1 AND state = 'ambiguous' AND (lease_until IS NULL OR lease_until < hub_now())`
    const refusal = await until(async () => {
      const free = await running.owner.query(unleased, [sent.id])
      const reply = free.rowCount === 1 ? await agent.call('replay_dlq_message', { outbox_id: outboxId }) : undefined
      return reply?.text.startsWith('ambiguous') ? reply : undefined
    })
    expect(refusal.isError).toBe(true)
    expect(refusal.text).toContain('could double the order')
    const retry = await agent.call('retry_failed_sync', { order_id: reference })
    expect(retry.isError).toBe(true)
    expect(await agent.trace(reference)).toMatchObject({ next_step: { kind: 'wait' } })
    const { rows } = await running.owner.query(
      `SELECT result_status, error_message FROM mcp_audit_log WHERE tool_name = 'replay_dlq_message' AND params_json ->> 'outbox_id' = $1`,
      [outboxId],
    )
    expect(new Set(rows.map((r) => r.error_message))).toEqual(new Set(['in-flight', 'ambiguous']))
    expect(rows.every((r) => r.result_status === 'error')).toBe(true)

    await running.paris('DELETE', '/admin/faults')
    await inState(reference, PARIS, 'delivered')
    expect(await createdUnder(running.ledgers.paris, reference)).toBe(1)
  })

  test('a delivery given up on after its last try is replayed when the marketplace is well again', async () => {
    // Every send is lost before it is taken: after each, a look-up says that nothing is there.
    await running.paris('POST', '/admin/faults', { match: { method: 'POST', path: '^/orders$' }, fault: 'hang' })
    const { id } = await newErpOrder(running, { team: 'Paris' })
    const reference = `odoo-${id}`
    const dead = await inState(reference, PARIS, 'dead')
    expect(dead).toMatchObject({ cause: 'attempts-exhausted', tries: 2 })
    const { cause, next_step } = await agent.trace(reference)
    expect([cause, next_step.kind]).toEqual(['attempts-exhausted', 'replay'])
    expect(await createdUnder(running.ledgers.paris, reference)).toBe(0)
    await running.paris('DELETE', '/admin/faults')
    const reply = await agent.call('replay_dlq_message', await next(reference, 'replay_dlq_message'))
    expect(reply.isError).toBe(false)
    await inState(reference, PARIS, 'delivered')
    expect(await createdUnder(running.ledgers.paris, reference)).toBe(1)
  })

  test('a notification given up on is replayed by its own id once the order can be read', async () => {
    await running.meli('POST', '/admin/faults', {
      match: { method: 'GET', path: '^/orders/\\d+' },
      fault: 'status',
      status: 404,
      body: '{}',
    })
    const bought = (await running.meli('POST', '/admin/purchases', {
      seller: 1002,
      items: [{ sku: 'SKU-004', quantity: 1, unit_price: 9_990 }],
    })) as { order_ids: number[] }
    const orderId = String(bought.order_ids[0])
    await until(async () => {
      const { rowCount } = await running.owner.query(`SELECT FROM inbound_event WHERE order_key = $1 AND state = 'dead'`, [orderId])
      return (rowCount ?? 0) > 0
    })
    expect(await agent.trace(orderId)).toMatchObject({ cause: 'inbound-dead', next_step: { kind: 'fix-then-replay' } })
    const call = await next(orderId, 'replay_dlq_message')
    expect(call.outbox_id).toMatch(/^inbound-\d+$/)
    // Nothing else may read the order meanwhile: the replay alone brings it in.
    const reply = await agent.call('replay_dlq_message', call)
    expect(reply.isError).toBe(false)
    await running.meli('DELETE', '/admin/faults')
    const inOdoo = await until(async () => {
      const { orders } = (await running.odoo('GET', `/admin/orders?client_order_ref=${orderId}`)) as { orders: unknown[] }
      return orders.length > 0 ? orders : undefined
    })
    expect(inOdoo).toHaveLength(1)
    expect((await auditOf(reply)).map((row) => row.phase)).toEqual(['intent', 'outcome'])
  })

  test('a viewer cannot repair, and the refusal is on the record', async () => {
    const viewer = await agentOf(desk, 'viewer')
    const reply = await viewer.call('retry_failed_sync', { order_id: 'ML-12345' })
    expect(reply.text).toMatch(/^denied/)
    const { rows } = await running.owner.query(
      `SELECT result_status, error_message FROM mcp_audit_log WHERE user_id = 'agent-viewer' AND tool_name = 'retry_failed_sync'`,
    )
    expect(rows).toEqual([{ result_status: 'denied', error_message: 'denied' }])
    await viewer.close()
  })
})
