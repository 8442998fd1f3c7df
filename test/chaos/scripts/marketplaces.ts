import { createServer, type Server } from 'node:http'
import { EVERYTHING } from '../plan.ts'
import type { Stage } from '../stage.ts'
import { type Act, expectedOf, type Made, nothingMade, perform } from '../workload.ts'
import { erpOrder, withIncidents } from './incident.ts'
import type { Script } from './script.ts'
import { letPass } from './webhooks.ts'

const ML = 'mercadolibre:1001'
const CREATE = { method: 'POST', path: '^/orders$' }

export const erpOrders = (count: number, team: 'MercadoLibre' | 'Paris'): Act[] =>
  Array.from({ length: count }, (_, i) => ({ act: 'erp-order', team, sku: 'SKU-001', quantity: 1 + (i % 3), price: 5_000 }))

export const delivered = async (stage: Stage, channel: string): Promise<number> =>
  (
    await stage.rows<{ n: number }>(
      `SELECT count(*)::int AS n FROM delivery WHERE channel = $1 AND kind = 'order' AND state = 'delivered'`,
      [channel],
    )
  )[0]?.n ?? 0

export const dead = async (stage: Stage): Promise<number> =>
  (await stage.rows<{ n: number }>(`SELECT count(*)::int AS n FROM delivery WHERE state = 'dead'`))[0]?.n ?? 0

/** Deliveries to a channel that were charged a try more than they had claims in which a send may have left. */
export const burned = (stage: Stage, channel: string) =>
  stage.rows(
    `SELECT FROM delivery d WHERE d.channel = $1 AND d.kind = 'order' AND d.tries >
       (SELECT count(DISTINCT a.lease) FROM attempt a
        WHERE a.delivery_id = d.id AND a.purpose = 'send' AND (a.outcome IS NULL OR a.outcome IN ('ok', 'unknown')))`,
    [channel],
  )

interface Asked {
  way: string
  answer: () => { status: number; retryAfter?: string }
  /** How long nobody may send to the account. */
  seconds: number
}

const ASKED: readonly Asked[] = [
  { way: '429 with seconds', answer: () => ({ status: 429, retryAfter: '60' }), seconds: 60 },
  { way: '429 with a date', answer: () => ({ status: 429, retryAfter: new Date(Date.now() + 60_000).toUTCString() }), seconds: 60 },
  { way: '503 with seconds', answer: () => ({ status: 503, retryAfter: '60' }), seconds: 60 },
  { way: '429 with an absurd value', answer: () => ({ status: 429, retryAfter: '9999999999' }), seconds: 6 * 3_600 },
  { way: '429 with more digits than any time has', answer: () => ({ status: 429, retryAfter: '99999999999999' }), seconds: 30 },
  { way: '429 alone', answer: () => ({ status: 429 }), seconds: 30 },
]
/** A date has whole seconds, and a busy machine sends a while after it was made. */
const SOONER_S = 15

/** M4: the marketplace asks to wait, in every form; until then nobody of the account asks again, and no try is counted. */
export const askedToWait: Script = {
  async run(stage) {
    await stage.calm(...EVERYTHING)
    const made = nothingMade()
    for (const asked of ASKED) await waitedFor(stage, asked, made)
    stage.check((await burned(stage, ML)).length === 0, 'being asked to wait counts no try')
    stage.check((await dead(stage)) === 0, 'and kills nothing')
    return expectedOf(made)
  },
}

async function waitedFor(stage: Stage, { way, answer, seconds }: Asked, made: Made): Promise<void> {
  const before = (await refusals(stage)).length
  await stage.running.meli('PUT', '/admin/faults', [{ match: CREATE, fault: 'status', times: 1, ...answer() }])
  await perform(stage, erpOrders(1, 'MercadoLibre'), made)
  const refused = await stage.eventually(async () => (await refusals(stage))[before], `${way} is answered`)
  stage.fire(way, refused.reference)
  const isAsAsked = refused.seconds <= seconds + 1 && refused.seconds >= seconds - SOONER_S
  stage.check(isAsAsked, `${way} shuts the account for ${seconds} s, not ${refused.seconds}`)
  await perform(stage, [...erpOrders(1, 'MercadoLibre'), ...erpOrders(1, 'Paris')], made)
  await stage.eventually(async () => (await delivered(stage, 'paris:main')) === before + 1, 'the other marketplace goes on')
  stage.check((await sendsAfter(stage, refused.id)) === 0, `${way}: nothing is sent to the account before it may`)
  await letPass(stage, seconds)
  await stage.eventually(async () => (await delivered(stage, ML)) === 2 * (before + 1), `both are delivered after ${way}`)
}

/** Sends of the account that were asked to wait, and for how long it is shut. */
const refusals = (stage: Stage) =>
  stage.rows<{ id: string; reference: string; seconds: number }>(
    `SELECT a.id, b.reference, extract(epoch FROM c.limited_until - a.ended_at)::int AS seconds
     FROM attempt a JOIN channel c ON c.id = a.channel JOIN delivery d ON d.id = a.delivery_id JOIN binding b ON b.id = d.binding_id
     WHERE a.channel = $1 AND a.error_code = 'rate-limited' ORDER BY a.id`,
    [ML],
  )

const sendsAfter = async (stage: Stage, attemptId: string): Promise<number> =>
  (await stage.rows(`SELECT FROM attempt WHERE channel = $1 AND purpose = 'send' AND id > $2`, [ML, attemptId])).length

/** M7: answers that never end, are of the wrong kind or far too large: timeouts and the size cap hold. */
export const strangeAnswers: Script = {
  async run(stage) {
    const { running } = stage
    const faults = [{ fault: 'drip', ms: 1_000 }, { fault: 'hang' }, { fault: 'html' }, { fault: 'flood', bytes: 50 * 1024 * 1024 }]
    await running.meli(
      'PUT',
      '/admin/faults',
      faults.map((one) => ({ match: CREATE, times: 1, ...one })),
    )
    await running.paris(
      'PUT',
      '/admin/faults',
      faults.map((one) => ({ match: CREATE, times: 1, ...one })),
    )
    const before = process.memoryUsage().rss
    await stage.calm(...EVERYTHING)
    const made = await perform(stage, [...erpOrders(4, 'MercadoLibre'), ...erpOrders(4, 'Paris')])
    const unclear = () =>
      stage.rows<{ reference: string }>(
        `SELECT DISTINCT b.reference FROM attempt a JOIN delivery d ON d.id = a.delivery_id JOIN binding b ON b.id = d.binding_id
       WHERE a.purpose = 'send' AND a.outcome = 'unknown'`,
      )
    const some = await stage.eventually(
      async () => ((await unclear()).length >= 8 ? unclear() : undefined),
      'eight sends without a clear answer',
    )
    stage.fire('1 byte/s, silence, HTML, 50 MB', some.map((row) => row.reference).join(' '))
    stage.figures['MB of memory more'] = Math.round((process.memoryUsage().rss - before) / 1e6)
    return expectedOf(made)
  },
}

/** M8: one marketplace is a black hole; the other completes its orders meanwhile. */
export const blackHole: Script = {
  stage: () => ({ links: ['meli'] }),
  async run(stage) {
    stage.link('meli').set({ kind: 'black-hole' })
    await stage.calm(...EVERYTHING)
    const made = await perform(stage, [...erpOrders(6, 'MercadoLibre'), ...erpOrders(6, 'Paris')])
    await stage.eventually(async () => (await delivered(stage, 'paris:main')) === 6, 'the healthy marketplace completes')
    stage.check((await delivered(stage, ML)) === 0, 'while the other is silent')
    stage.check(stage.link('meli').hits() > 0, 'the black hole swallowed requests')
    stage.fire('MercadoLibre black-holed', await stage.underWay())
    stage.link('meli').set({ kind: 'none' })
    return expectedOf(made)
  },
}

/** M9: a name that does not resolve, and a redirect to a private address: neither is followed, and the cause is plain. */
export const wrongAddress: Script = {
  stage: ({ seed }) => ({
    hub: {
      env: {
        PARIS_BASE_URL: seed % 2 ? 'http://nowhere.invalid:9' : `http://127.0.0.1:${REDIRECT_PORT}`,
        PARIS_API_KEY: 'a key of the tests, long enough',
        PARIS_API_SECRET: 'a secret of the tests, long enough',
      },
    },
  }),
  async run(stage) {
    const redirecting = stage.plan.seed % 2 === 0 ? await redirector() : null
    try {
      await stage.calm('worker')
      const { id } = await erpOrder(stage, { team: 'Paris' })
      const attempt = () =>
        stage.rows<{ error_code: string; outcome: string }>(
          `SELECT a.error_code, a.outcome FROM attempt a JOIN delivery d ON d.id = a.delivery_id JOIN binding b ON b.id = d.binding_id WHERE b.reference = $1 AND a.outcome IS NOT NULL`,
          [`odoo-${id}`],
        )
      const [first] = await stage.eventually(async () => ((await attempt()).length > 0 ? attempt() : undefined), 'an attempt ends')
      const wanted = redirecting ? 'rejected' : 'unreachable'
      stage.fire(redirecting ? 'a redirect to 169.254.169.254' : 'a name that does not resolve', `odoo-${id}`)
      stage.check(first?.error_code === wanted, `the cause is ${wanted}, not ${first?.error_code}`)
      stage.check(redirecting === null || redirecting.hits() === 1, 'a redirect is not followed')
    } finally {
      await redirecting?.close()
    }
    return null
  },
}

const REDIRECT_PORT = 18_765

async function redirector(): Promise<{ hits(): number; close(): Promise<void> }> {
  let hits = 0
  const server: Server = createServer((_request, reply) => {
    hits += 1
    reply.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end()
  })
  await new Promise<void>((resolve) => server.listen(REDIRECT_PORT, '127.0.0.1', resolve))
  return { hits: () => hits, close: () => new Promise((resolve) => server.close(() => resolve())) }
}

/** Q1: the seventh of ten deliveries of a batch is bad. */
export const oneBad: Script = {
  async run(stage) {
    await stage.running.meli('POST', '/admin/unknown-skus', { skus: ['SKU-009'] })
    const orders = []
    for (let i = 0; i < 10; i++)
      orders.push(await erpOrder(stage, i === 6 ? { lines: [{ sku: 'SKU-009', quantity: 1, price: 5_000 }] } : {}))
    stage.fire('the seventh of a batch is refused', `odoo-${orders[6]?.id}`)
    await stage.calm(...EVERYTHING)
    await stage.eventually(async () => (await delivered(stage, ML)) === 9 && (await dead(stage)) === 1, 'nine delivered, one dead')
    const declared = { reference: orders[6]?.name ?? '', cause: 'sku-unknown', state: 'dead', channel: ML } as const
    return withIncidents(stage, { erpToMarketplace: 9, marketplaceToErp: 0 }, [declared])
  },
}
