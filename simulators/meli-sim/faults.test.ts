import { expect, test } from 'vitest'
import { list, requestToken, runSim, SELLER, until } from './running-sim.ts'

const ORDER = {
  external_reference: 'S1',
  currency_id: 'CLP',
  total_amount: 10,
  order_items: [{ seller_sku: 'A', quantity: 1, unit_price: 10 }],
}
const FOUND = `/orders/search?seller=${SELLER}&external_reference=S1`

test('a create whose answer is lost has taken effect and is found by its reference', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  await sim.admin('PUT', '/faults', [{ match: { method: 'POST', path: '^/orders$' }, fault: 'accept-then-reset', times: 1 }])
  await expect(sim.call(token, 'POST', '/orders', ORDER)).rejects.toThrow('fetch failed')
  expect(list((await sim.call(token, 'GET', FOUND)).body.results)).toHaveLength(1)
})

test('a create that is reset before it is accepted has no effect', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  await sim.admin('PUT', '/faults', [{ match: { method: 'POST', path: '^/orders$' }, fault: 'reset', times: 1 }])
  await expect(sim.call(token, 'POST', '/orders', ORDER)).rejects.toThrow('fetch failed')
  expect(list((await sim.call(token, 'GET', FOUND)).body.results)).toHaveLength(0)
})

test('a late create appears after its client gave up', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  await sim.admin('PUT', '/faults', [{ match: { method: 'POST', path: '^/orders$' }, fault: 'late', ms: 150, times: 1 }])
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const signal = AbortSignal.timeout(40)
  await expect(fetch(`${sim.url}/orders`, { method: 'POST', headers, body: JSON.stringify(ORDER), signal })).rejects.toThrow(
    'aborted due to timeout',
  )
  expect(list((await sim.call(token, 'GET', FOUND)).body.results)).toHaveLength(0)
  await until('the order', async () => list((await sim.call(token, 'GET', FOUND)).body.results).length === 1)
  const request = (await sim.ledger()).find((one) => one.kind === 'request' && one.method === 'POST')
  expect(request).toMatchObject({ decision: 'delayed' })
})

test('a budget refuses in each of the documented shapes', async () => {
  const sim = await runSim()
  const token = await sim.connect(SELLER)
  const limit = (shape: string, more = {}) => sim.admin('PUT', '/rate-limits', [{ path: '^/users/me$', limit: 1, shape, ...more }])
  const second = async () => {
    await sim.call(token, 'GET', '/users/me')
    return sim.call(token, 'GET', '/users/me')
  }
  await limit('too-many-requests', { retryAfter: '7' })
  const first = await second()
  expect([first.status, first.headers.get('retry-after')]).toEqual([429, '7'])
  expect(first.body).toEqual({ message: 'Too Many Requests', error: 'too_many_requests', status: 429, cause: [] })
  await limit('over-quota')
  expect((await second()).body).toEqual({ error: 'too_many_requests', message: 'client.id over quota', status: 429 })
  await limit('local-rate-limited')
  const plain = await second()
  expect([plain.status, plain.text, plain.headers.get('content-type')]).toEqual([429, 'local_rate_limited', 'text/plain; charset=utf-8'])
  expect((await sim.call(token, 'GET', `/orders/search?seller=${SELLER}`)).status).toBe(200)
  expect((await sim.admin('GET', '/rate-limits')).body.limits?.[0]).toMatchObject({ refused: 1 })
  await sim.admin('PUT', '/rate-limits', [{ method: 'POST', path: '^/oauth/token$', limit: 0, shape: 'local-rate-limited' }])
  expect((await requestToken(sim, { grant_type: 'refresh_token' })).status).toBe(429)
})

test('wrong knobs are a 422 that names the field', async () => {
  const sim = await runSim()
  const wrong: [string, string, unknown, string][] = [
    ['PUT', '/settings', { retryScheduleMs: [1, 2, 3, 4, 5, 6, 7, 8] }, 'retryScheduleMs'],
    ['PUT', '/profile', { profile: 'kind' }, 'profile'],
    ['PUT', '/rate-limits', [{ path: '(', limit: 1 }], '[0].path'],
    ['PUT', '/partials', [{ missing: [] }], '[0].missing'],
    ['PUT', '/callback', { url: 'nowhere' }, 'url'],
    ['POST', '/accounts', { user_id: 'x' }, 'user_id'],
    ['POST', '/refuse-references', { references: [] }, 'references'],
  ]
  for (const [method, path, body, field] of wrong) {
    const reply = await sim.admin(method, path, body)
    expect([path, reply.status, reply.body.cause?.[0]?.field]).toEqual([path, 422, field])
  }
})
