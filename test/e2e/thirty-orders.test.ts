import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Desk } from '../../src/desk.ts'
import { traceOrder } from '../../src/flows/trace-order.ts'
import { agentOf, deskOf, missingEvidence, type TraceData } from '../support/agent.ts'
import { newErpOrder } from '../support/erp-order.ts'
import { HUB_YAML, type RunningHub, startHub, until } from '../support/running-hub.ts'

const SEED = Number(process.env.THIRTY_ORDERS_SEED ?? '20260')
const ML = 'mercadolibre:1001'
const SECOND = 'mercadolibre:1002'
const PARIS = 'paris:main'
// Two accounts with a rule each: the project's own test configuration, and the second account under a tag.
const YAML = HUB_YAML.replace('routing:', `routing:\n  - { name: second account, when: { tag: Segunda }, to: ['${SECOND}'] }`)

/** One order of the world: what is wrong with it, where, and every name that people have for it outside of the hub. */
interface Story {
  what: string
  cause: string
  /** Where the cause stands; null when it stands on the order as a whole. */
  target: string | null
  ids: string[]
}

type Make = (running: RunningHub, random: Random) => Promise<Story>

/** Cause, channel, how many: before the channels themselves break. */
const CALM: [number, Make][] = [
  [2, erpOrder('delivered', ML)],
  [2, erpOrder('sku-unknown', ML, { lines: [{ sku: 'SKU-009', quantity: 1, price: 5_000 }] })],
  [2, refusedOrder(ML)],
  [1, erpOrder('unsupported-by-target', ML, { lines: [{ sku: 'SKU-002', quantity: 0.5, price: 5_000 }] })],
  [2, erpOrder('erp-order-invalid', 'odoo', { lines: [{ sku: 'SKU-003', quantity: 0, price: 5_000 }] })],
  [2, erpOrder('erp-not-confirmed', null, { state: 'draft' })],
  [2, erpOrder('not-routed', null, { team: 'Web' })],
  [1, erpOrder('delivered', PARIS)],
  [1, erpOrder('sku-unknown', PARIS, { lines: [{ sku: 'SKU-008', quantity: 2, price: 7_000 }] })],
  [1, refusedOrder(PARIS)],
  [1, erpOrder('unsupported-by-target', PARIS, { lines: [{ sku: 'SKU-002', quantity: 0.5, price: 5_000 }] })],
  [1, erpOrder('delivered', SECOND)],
  [1, purchase('delivered', 1001, { pack: true })],
  [1, purchase('delivered', 1002)],
  [1, purchase('totals-mismatch', 1001)],
  [1, purchase('totals-mismatch', 1002, { pack: true })],
  [1, purchase('on-hold', 1001, { tags: ['fraud_risk_detected'] })],
  [1, neverThere(1002)],
]

/** And after: an account is revoked, Paris asks to slow down, then MercadoLibre answers nonsense, and at last not at all. */
const STORMS: { begins: (running: RunningHub) => Promise<unknown>; plan: [number, Make][] }[] = [
  {
    begins: async ({ meli, paris }) => {
      await meli('POST', '/admin/revoke', { user_id: 1002 })
      const match = { method: 'POST', path: '^/orders' }
      await paris('POST', '/admin/faults', { match, fault: 'status', status: 429, retryAfter: '3600' })
    },
    plan: [
      [2, erpOrder('credentials-rejected', SECOND)],
      [2, erpOrder('rate-limited', PARIS)],
    ],
  },
  {
    begins: ({ meli }) => meli('POST', '/admin/faults', { match: { method: 'GET', path: '^/(orders|packs)/' }, fault: 'html' }),
    plan: [[1, purchase('inbound-failing', 1001)]],
  },
  { begins: ({ stopMeli }) => stopMeli(), plan: [[1, erpOrder('channel-paused', ML)]] },
]

describe(`thirty orders over two MercadoLibre accounts and Paris (seed ${SEED})`, () => {
  let running: RunningHub
  let desk: Desk
  const stories: Story[] = []

  beforeAll(async () => {
    running = await startHub({ yaml: YAML })
    desk = await deskOf(running)
    const random = seeded(SEED)
    await running.meli('POST', '/admin/unknown-skus', { skus: ['SKU-009'] })
    await running.paris('POST', '/admin/unknown-skus', { skus: ['SKU-008'] })
    for (const { begins, plan } of [{ begins: async () => {}, plan: CALM }, ...STORMS]) {
      await begins(running)
      const told = await tell(plan, running, random)
      await settled(told, desk)
      stories.push(...told)
    }
  }, 120_000)
  afterAll(async () => {
    await desk?.close()
    await running?.stop()
  })

  test('there are thirty of them, broken by at least eight causes', () => {
    expect(stories).toHaveLength(30)
    expect(new Set(stories.map((s) => s.cause)).size).toBeGreaterThan(8)
  })

  test('whatever a person types for an order, the trace names its cause and cites rows that exist', async () => {
    const wrong: string[] = []
    let asked = 0
    for (const [at, story] of stories.entries()) {
      const agent = await agentOf(desk, 'viewer', { id: `person-${at}`, era: at % 2 === 0 ? '2026-07-28' : '2025-11-25' })
      for (const typed of await namesOf(story, running)) {
        const trace = await agent.trace(typed.id)
        asked += 1
        const complaint = typed.focus ? focusComplaint(story, trace) : complaintOf(story, trace)
        if (complaint) wrong.push(`${story.what}, asked as ${typed.id}: ${complaint}`)
        const missing = await missingEvidence(running, [...trace.evidence, ...timelineRows(trace)])
        if (trace.evidence.length === 0) wrong.push(`${story.what}, asked as ${typed.id}: no evidence`)
        if (missing.length > 0)
          wrong.push(`${story.what}, asked as ${typed.id}: cites ${missing.map((m) => `${m.table} ${m.id}`).join(', ')}`)
      }
      await agent.close()
    }
    expect(wrong).toEqual([])
    expect(asked).toBeGreaterThan(200)
    const { rows } = await running.owner.query(
      `SELECT count(*)::int AS n FROM mcp_audit_log WHERE tool_name = 'trace_order' AND result_status = 'ok' AND user_id LIKE 'person-%'`,
    )
    expect(rows[0].n).toBe(asked)
  }, 120_000)

  test('an identifier that two orders share gives candidates, and each candidate names one order', async () => {
    const shared = `ML-${stories[0]?.ids[0]?.replace(/\D/g, '')}-2`
    const [one, two] = [
      await newErpOrder(running, { client_order_ref: shared, team: 'Web' }),
      await newErpOrder(running, { client_order_ref: shared, team: 'Web' }),
    ]
    await settled([story('shared', 'not-routed', null, [`odoo-${one.id}`]), story('shared', 'not-routed', null, [`odoo-${two.id}`])], desk)
    const agent = await agentOf(desk, 'viewer', { id: 'person-shared' })
    const { found, candidates } = await agent.trace(shared)
    expect(found).toBe(false)
    expect(candidates).toHaveLength(2)
    const causes = await Promise.all((candidates ?? []).map(async (c) => (await agent.trace(c.order_id)).cause))
    expect(causes).toEqual(['not-routed', 'not-routed'])
    await agent.close()
  })
})

function story(what: string, cause: string, target: string | null, ids: string[]): Story {
  return { what: `${what} (${cause})`, cause, target, ids }
}

/** An order that a person makes in Odoo, routed to `channel` unless `body` says otherwise. */
function erpOrder(cause: string, channel: string | null, body: Record<string, unknown> = {}): Make {
  return async (running, random) => {
    const paris = channel === PARIS
    const reference = `${paris ? 'PARIS' : 'ML'}-${random.digits(5)}`
    const { id, name } = await newErpOrder(running, {
      client_order_ref: reference,
      team: paris ? 'Paris' : 'MercadoLibre',
      ...(channel === SECOND ? { tags: ['Segunda'] } : {}),
      lines: [{ sku: random.sku(), quantity: random.below(4) + 1, price: (random.below(90) + 1) * 1_000 }],
      ...body,
    })
    return story(`ERP order ${name}`, cause, channel, [`odoo-${id}`, String(id), name, reference, reference.replace(/^\D+/, '')])
  }
}

/** The marketplace refuses what it is sent under the order's reference, and was told so before the order was confirmed. */
function refusedOrder(channel: string): Make {
  return async (running, random) => {
    const made = await erpOrder('rejected-by-target', channel, { state: 'draft' })(running, random)
    const sim = channel === PARIS ? running.paris : running.meli
    await sim('POST', '/admin/refuse-references', { references: [made.ids[0]], message: 'not today' })
    await running.odoo('POST', `/admin/orders/${made.ids[1]}/confirm`)
    return made
  }
}

/** A buyer checks out; the order reaches the hub when it is paid. */
function purchase(cause: string, seller: number, body: Record<string, unknown> = {}): Make {
  return async (running, random) => {
    const price = (random.below(50) + 1) * 990
    const bought = (await running.meli('POST', '/admin/purchases', {
      seller,
      items: [{ sku: random.sku(), quantity: random.below(3) + 1, unit_price: price }],
      status: 'payment_required',
      no_notify: true,
      ...body,
    })) as { order_ids: number[]; pack_id: number | null; shipment_id: number | null }
    const total = cause === 'totals-mismatch' ? { total_amount: price * 10 } : {}
    await running.meli('POST', `/admin/orders/${bought.order_ids[0]}/status`, { status: 'paid', ...total })
    const target = cause === 'inbound-failing' ? `mercadolibre:${seller}` : cause === 'on-hold' ? null : 'odoo'
    const held = [bought.order_ids[0], bought.pack_id, ...(cause === 'inbound-failing' ? [] : [bought.shipment_id])]
    const ids = held.filter((id) => id !== null && id !== undefined).flatMap((id) => [String(id), `ML-${id}`])
    return story(`purchase ${ids[0]}`, cause, target, ids)
  }
}

/** MercadoLibre tells of an order and then does not know it. */
function neverThere(seller: number): Make {
  return async (running, random) => {
    const id = `20000${random.digits(11)}`
    await running.meli('POST', '/admin/notifications', { topic: 'orders_v2', resource: `/orders/${id}`, user_id: seller })
    return story(`notified order ${id}`, 'inbound-dead', `mercadolibre:${seller}`, [id, `ML-${id}`])
  }
}

async function tell(plan: [number, Make][], running: RunningHub, random: Random): Promise<Story[]> {
  const makes = random.shuffled(plan.flatMap(([count, make]) => Array<Make>(count).fill(make)))
  const told: Story[] = []
  for (const make of makes) told.push(await make(running, random))
  return told
}

async function settled(stories: readonly Story[], desk: Desk): Promise<void> {
  for (const { what, cause, ids } of stories) {
    let last = 'nothing'
    const now = async (): Promise<boolean> => {
      const trace = await traceOrder(ids[0], desk)
      last = trace.kind === 'traced' ? `${trace.diagnosis.cause}: ${trace.diagnosis.sentence}` : trace.kind
      return last.startsWith(`${cause}:`)
    }
    await until(now, 30_000).catch(() => Promise.reject(new Error(`${what} ends as ${last}`)))
  }
}

/** Everything that people call the order: outside of the hub, at the other systems, and the hub's own rows. */
async function namesOf({ ids }: Story, { owner, odoo }: RunningHub): Promise<{ id: string; focus: boolean }[]> {
  const { rows } = await owner.query<{ id: string; focus: boolean }>(
    `WITH o AS (SELECT DISTINCT order_id AS id FROM identifier WHERE value = $1), e AS (
       SELECT id, event_id FROM inbound_event WHERE order_id IN (SELECT id FROM o) OR order_key = $1)
     SELECT external_id AS id, false AS focus FROM binding WHERE order_id IN (SELECT id FROM o) AND external_id IS NOT NULL
     UNION SELECT reference, false FROM binding WHERE order_id IN (SELECT id FROM o)
     UNION SELECT 'outbox-' || id, true FROM delivery WHERE order_id IN (SELECT id FROM o)
     UNION SELECT 'inbound-' || id, true FROM e UNION SELECT event_id::text, true FROM e`,
    [ids[0]?.toUpperCase()],
  )
  const { rows: inOdoo } = await owner.query<{ external_id: string }>(
    `SELECT external_id FROM binding WHERE channel = 'odoo' AND external_id IS NOT NULL AND order_id IN (SELECT order_id FROM identifier WHERE value = $1)`,
    [ids[0]],
  )
  const { name, client_order_ref } = inOdoo[0]
    ? ((await odoo('GET', `/admin/orders/${inOdoo[0].external_id}`)) as Record<string, string>)
    : {}
  const erp = inOdoo[0] ? [`odoo-${inOdoo[0].external_id}`, name, client_order_ref] : []
  const plain = [...ids, ...erp].flatMap((id) => (id ? [{ id, focus: false }] : []))
  return [...plain, ...rows.filter((row) => !plain.some((p) => p.id === row.id))]
}

function complaintOf({ cause, target }: Story, trace: TraceData): string | null {
  if (trace.cause !== cause) return `cause ${trace.cause} (${trace.sentence}), not ${cause}`
  if (trace.also_found?.some((f) => f.cause === 'not-found-anywhere')) return 'says beside it that nobody knows the order'
  if (target === null || target === 'odoo' || !trace.found) return null
  return trace.targets?.some((t) => t.target === target && t.cause === cause) || cause === 'inbound-failing'
    ? null
    : `${target} does not show it`
}

// A row that was asked for by its own id is answered first; the cause of the order then stands beside it.
function focusComplaint({ cause }: Story, trace: TraceData): string | null {
  const named = [trace.cause, ...(trace.also_found ?? []).map((f) => f.cause)]
  return named.includes(cause) ? null : `names ${named.join(', ')}, not ${cause}`
}

function timelineRows({ timeline = [] }: TraceData): { table: string; id: string; says: string }[] {
  return timeline.flatMap(({ ref, what }) => {
    const [table = '', id = ''] = ref.split('/')
    return ['delivery', 'attempt', 'inbound_event', 'observation'].includes(table) ? [{ table, id, says: what }] : []
  })
}

interface Random {
  below(most: number): number
  digits(count: number): string
  sku(): string
  shuffled<T>(list: readonly T[]): T[]
}

function seeded(seed: number): Random {
  let state = seed >>> 0
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (most: number): number => Math.floor(next() * most)
  return {
    below,
    digits: (count) => `${below(9) + 1}${Array.from({ length: count - 1 }, () => below(10)).join('')}`,
    sku: () => `SKU-00${below(7) + 1}`,
    shuffled: (list) =>
      list
        .map((item) => ({ item, at: next() }))
        .sort((a, b) => a.at - b.at)
        .map(({ item }) => item),
  }
}
