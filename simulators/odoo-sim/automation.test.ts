import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { startOdoo } from './test-odoo.ts'

interface Post {
  headers: Record<string, unknown>
  body: Record<string, unknown>
}

const servers = new Set<ReturnType<typeof createServer>>()
afterEach(() => {
  for (const server of servers) server.close()
  servers.clear()
})

async function receiver(status = 200): Promise<{ url: string; posts: Post[] }> {
  const posts: Post[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      posts.push({ headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown> })
      response.writeHead(status).end()
    })
  })
  servers.add(server)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/odoo/secret`, posts }
}

test('one business act gives several identical, unsigned posts', async () => {
  const odoo = await startOdoo(19)
  const { url, posts } = await receiver()
  await odoo.admin('/webhook', { url }, 'PUT')
  await odoo.admin('/orders', { client_order_ref: 'ML-1', lines: [{ sku: 'SKU-001' }] })
  await odoo.sim.webhooksIdle()
  expect(posts).toHaveLength(4)
  expect(posts[0]?.body).toMatchObject({ _model: 'sale.order', _id: 1, client_order_ref: 'ML-1', state: 'draft' })
  expect(posts[0]?.body.write_date).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/)
  expect(posts[3]?.body).toEqual(posts[0]?.body)
  expect(posts[0]?.headers['user-agent']).toMatch(/^python-requests/)
  expect(Object.keys(posts[0]?.headers ?? {}).filter((name) => /sign|hmac|webhook/.test(name))).toEqual([])
  await odoo.admin('/orders/1/confirm', {})
  await odoo.admin('/orders/1/deliver', {})
  await odoo.sim.webhooksIdle()
  expect(posts).toHaveLength(4 + 4 + 3)
})

test('a failed post is not repeated', async () => {
  const odoo = await startOdoo(19)
  const { url, posts } = await receiver(500)
  await odoo.admin('/webhook', { url }, 'PUT')
  await odoo.admin('/orders', {})
  await odoo.sim.webhooksIdle()
  expect(posts).toHaveLength(4)
  const { entries } = await odoo.admin<{ entries: { kind: string; status?: number; attempt?: number }[] }>('/ledger')
  expect(entries.filter((one) => one.kind === 'webhook')).toMatchObject(Array.from({ length: 4 }, () => ({ status: 500, attempt: 1 })))
})

test('posts are lost and doubled on demand', async () => {
  const odoo = await startOdoo(19)
  const { url, posts } = await receiver()
  await odoo.admin('/webhook', { url }, 'PUT')
  await odoo.admin('/faults', [{ fault: 'lost-webhook', times: 4 }], 'PUT')
  await odoo.admin('/orders', {})
  await odoo.sim.webhooksIdle()
  expect(posts).toHaveLength(0)
  await odoo.admin('/faults', [{ fault: 'duplicate-webhook', times: 1 }], 'PUT')
  await odoo.admin('/orders', {})
  await odoo.sim.webhooksIdle()
  expect(posts).toHaveLength(5)
})

test('Odoo 14 has no webhook action', async () => {
  const odoo = await startOdoo(14)
  expect(await odoo.admin('/webhook', { url: 'http://127.0.0.1:1/x' }, 'PUT')).toMatchObject({ errors: [{ field: 'url' }] })
})
