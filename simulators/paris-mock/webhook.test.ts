import { createHmac } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { standardSecretFrom } from './settings.ts'
import { parisSignature, standardSignature } from './signature.ts'
import { openTestMock, openTestReceiver } from './test-client.ts'
import type { TestMock, TestReceiver } from './test-client.ts'

const draft = { buyer: 'Ana', items: [{ sku: 'SKU-1', qty: 1 }], external_ref: 'odoo-42' }

describe('webhooks of paris-mock', () => {
  let mock: TestMock
  let receiver: TestReceiver
  beforeEach(async () => {
    mock = await openTestMock()
    receiver = await openTestReceiver()
    await mock.call('POST', '/orders', draft)
    await mock.call('POST', '/webhooks/register', { url: receiver.url })
  })
  afterEach(async () => {
    await mock.close()
    await receiver.close()
  })

  const emit = (body?: object) => mock.call('POST', '/admin/orders/p-1/emit-webhook', body)
  const fault = (rule: object) => mock.admin('PUT', '/faults', [rule])
  const webhookLines = async () =>
    (await mock.ledger()).flatMap((entry) =>
      entry.kind === 'webhook' ? [{ attempt: entry.attempt, status: entry.status, error: entry.error }] : [],
    )

  test('emit-webhook sets the status, posts a signed event and answers with the deliveries', async () => {
    const answer = await emit()
    const event = {
      event_id: expect.stringMatching(/^e-\d+$/),
      external_ref: 'odoo-42',
      order_id: 'p-1',
      source: 'paris',
      status: 'delivered',
    }
    expect(answer).toEqual({ status: 200, body: { event, deliveries: [{ url: receiver.url, status_code: 200 }] } })
    expect((await mock.call('GET', '/orders/p-1')).body).toMatchObject({ status: 'delivered' })
    const [posted] = receiver.received
    expect(JSON.parse(posted!.body)).toEqual((answer.body as { event: object }).event)
    expect(posted!.headers['x-paris-signature']).toBe(createHmac('sha256', 'paris-test-secret').update(posted!.body).digest('hex'))
    expect(posted!.headers['webhook-id']).toBeUndefined()
    expect(await webhookLines()).toEqual([{ attempt: 1, status: 200, error: undefined }])
  })

  test('every registered URL gets the event; one that is down does not hide the other', async () => {
    await mock.call('POST', '/webhooks/register', { url: 'http://127.0.0.1:1/closed' })
    const answer = await emit({ status: 'shipped' })
    expect(answer.body).toMatchObject({
      deliveries: [
        { url: receiver.url, status_code: 200 },
        { url: 'http://127.0.0.1:1/closed', error: expect.any(String) },
      ],
    })
    expect((await webhookLines()).filter((line) => line.error !== undefined)).toHaveLength(3)
  })

  test('an answer that is not 2xx is tried three times under the same event id', async () => {
    receiver.answers.push(503, 302, 500)
    expect((await emit()).body).toMatchObject({ deliveries: [{ status_code: 500 }] })
    expect(await webhookLines()).toMatchObject([
      { attempt: 1, status: 503 },
      { attempt: 2, status: 302 },
      { attempt: 3, status: 500 },
    ])
    expect(new Set(receiver.received.map((one) => one.body)).size).toBe(1)
    await mock.admin('PUT', '/webhooks', { retryDelaysMs: [] })
    receiver.answers.push(500)
    expect((await emit()).body).toMatchObject({ deliveries: [{ status_code: 500 }] })
    expect(receiver.received).toHaveLength(4)
  })

  test('unknown orders, wrong bodies and wrong keys are refused', async () => {
    expect((await mock.call('POST', '/admin/orders/p-9/emit-webhook')).status).toBe(404)
    expect((await emit({ status: 7 })).status).toBe(422)
    expect((await mock.call('POST', '/admin/orders/p-1/emit-webhook', 'not json')).status).toBe(422)
    expect((await mock.call('POST', '/admin/orders/p-1/emit-webhook', undefined, { 'x-api-key': 'no' })).status).toBe(401)
    expect(receiver.received).toEqual([])
  })

  test('when told to it sends Standard Webhooks headers beside its own, overlapping secrets included', async () => {
    const told = await mock.admin('PUT', '/webhooks', { standardWebhooks: true })
    expect(told.body).toMatchObject({ standardWebhooks: true, standardSecrets: 1 })
    expect(JSON.stringify(told.body)).not.toContain('whsec_')
    await emit()
    const { headers, body } = receiver.received[0]!
    const message = { id: String(headers['webhook-id']), timestamp: Number(headers['webhook-timestamp']), body }
    expect(message.id).toBe((JSON.parse(body) as { event_id: string }).event_id)
    expect(Math.abs(Date.now() / 1000 - message.timestamp)).toBeLessThan(10)
    expect(headers['webhook-signature']).toBe(standardSignature([standardSecretFrom('paris-test-secret')], message))
    expect(headers['x-paris-signature']).toBe(parisSignature('paris-test-secret', body))
    await mock.admin('PUT', '/webhooks', { standardSecrets: ['whsec_AAAA', 'whsec_BBBB'] })
    await emit()
    expect(String(receiver.received[1]!.headers['webhook-signature']).split(' ')).toHaveLength(2)
    expect((await mock.admin('PUT', '/webhooks', { standardSecrets: ['plain'] })).body).toMatchObject({
      errors: [{ field: 'standardSecrets.0' }],
    })
  })

  test('a rotated secret signs both headers', async () => {
    await mock.admin('PUT', '/webhooks', { secret: 'second-secret', standardWebhooks: true })
    await emit()
    const { headers, body } = receiver.received[0]!
    const message = { id: String(headers['webhook-id']), timestamp: Number(headers['webhook-timestamp']), body }
    expect(headers['x-paris-signature']).toBe(parisSignature('second-secret', body))
    expect(headers['webhook-signature']).toBe(standardSignature([standardSecretFrom('second-secret')], message))
  })

  test('an event can be posted under a used id, with a wrong signature or an old timestamp', async () => {
    await mock.admin('PUT', '/webhooks', { standardWebhooks: true })
    await emit({ status: 'shipped', event_id: 'e-same' })
    await emit({ status: 'delivered', event_id: 'e-same', sign_with: 'wrong', timestamp_offset_seconds: -600 })
    const [first, second] = receiver.received
    expect(first!.headers['webhook-id']).toBe(second!.headers['webhook-id'])
    expect(first!.body).not.toBe(second!.body)
    expect(second!.headers['x-paris-signature']).toBe(parisSignature('wrong', second!.body))
    expect(Date.now() / 1000 - Number(second!.headers['webhook-timestamp'])).toBeGreaterThan(590)
  })

  test('a lost webhook is never posted but is in the ledger', async () => {
    await fault({ fault: 'lost-webhook', times: 1, match: { body: 'delivered' } })
    expect((await emit()).body).toMatchObject({ deliveries: [{ error: 'lost by a fault rule' }] })
    expect(receiver.received).toEqual([])
    expect(await webhookLines()).toEqual([{ attempt: 1, status: null, error: 'lost by a fault rule' }])
    await emit()
    expect(receiver.received).toHaveLength(1)
  })

  test('a duplicated webhook is posted twice, byte by byte the same', async () => {
    await fault({ fault: 'duplicate-webhook', match: { path: '^/webhooks/paris$' } })
    expect((await emit()).body).toMatchObject({ deliveries: [{ status_code: 200 }, { status_code: 200 }] })
    expect(receiver.received.map((one) => one.body)).toEqual([receiver.received[0]!.body, receiver.received[0]!.body])
  })

  test('a delayed webhook arrives after a later one', async () => {
    await fault({ fault: 'delay-webhook', ms: 150, times: 1 })
    expect((await emit({ status: 'shipped' })).body).toMatchObject({ deliveries: [{ error: expect.stringContaining('delayed') }] })
    await emit({ status: 'delivered' })
    await vi.waitFor(() => expect(receiver.received).toHaveLength(2), 5000)
    expect(receiver.received.map((one) => (JSON.parse(one.body) as { status: string }).status)).toEqual(['delivered', 'shipped'])
  })

  test('event ids stay unique and URLs registered after a restart', async () => {
    await emit()
    await mock.restart()
    await emit()
    const ids = receiver.received.map((one) => (JSON.parse(one.body) as { event_id: string }).event_id)
    expect(new Set(ids).size).toBe(2)
  })

  test('closing with a delayed webhook pending ends at once and posts nothing', async () => {
    await fault({ fault: 'delay-webhook', ms: 60_000 })
    await emit()
    await mock.restart()
    expect(receiver.received).toEqual([])
  })
})
