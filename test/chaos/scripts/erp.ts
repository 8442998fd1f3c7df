import type { ErpMade } from '../made.ts'
import { EVERYTHING } from '../plan.ts'
import type { Stage } from '../stage.ts'
import { type Act, expectedOf, perform } from '../workload.ts'
import { type Declared, erpOrder, withIncidents } from './incident.ts'
import { dead, delivered, erpOrders } from './marketplaces.ts'
import type { Script } from './script.ts'
import { bought, letPass } from './webhooks.ts'

const ML = 'mercadolibre:1001'

/** O1: Odoo is away for an hour (500, silence, or the login revoked, by the seed); what was planned goes on, and the rest is caught up with. */
export const erpAway: Script = {
  async run(stage) {
    const { running } = stage
    const sold = await perform(stage, erpOrders(4, 'Paris'))
    await running.paris('PUT', '/admin/faults', [
      { match: { method: 'POST', path: '^/orders$' }, fault: 'status', status: 429, retryAfter: '2', times: 1 },
    ])
    await stage.calm(...EVERYTHING)
    const planned = () => stage.rows(`SELECT FROM delivery WHERE channel = 'paris:main' AND kind = 'order'`)
    await stage.eventually(async () => (await planned()).length === 4, 'four deliveries are planned')
    const ways = [
      () => running.odoo('PUT', '/admin/faults', [{ match: {}, fault: 'status', status: 500 }]),
      () => running.odoo('PUT', '/admin/faults', [{ match: {}, fault: 'hang', ms: 3_000 }]),
      () => running.odoo('PUT', '/admin/credentials', { expired: true }),
    ]
    await ways[stage.plan.seed % 3]?.()
    stage.fire(['Odoo answers 500', 'Odoo hangs', 'Odoo revoked the login'][stage.plan.seed % 3] ?? '', await stage.underWay())
    const made = await perform(
      stage,
      [1, 2].map((i): Act => ({ act: 'purchase', seller: 1001, pack: i === 1, sku: 'SKU-002', quantity: 1, price: 9_000, told: true })),
      sold,
    )
    await stage.eventually(async () => (await delivered(stage, 'paris:main')) === 4, 'outbound goes on while Odoo is away')
    for (let minutes = 0; minutes <= 60; minutes += 20) {
      await stage.eventually(async () => (await unread(stage)).length > 0, `Odoo cannot be read after ${minutes} min`)
      if (minutes < 60) await letPass(stage, 1_200)
    }
    stage.check((await dead(stage)) === 0, 'an hour gives nothing up')
    await running.odoo('DELETE', '/admin/faults')
    await running.odoo('PUT', '/admin/credentials', { expired: false })
    return expectedOf(await perform(stage, erpOrders(1, 'Paris'), made))
  },
}

/** The collector's cursor, when its last reading failed; a worker that starts anew has not read yet. */
const unread = (stage: Stage) => stage.rows(`SELECT FROM cursor WHERE name = 'erp-orders' AND failed_since IS NOT NULL`)

/** O2: a transaction of Odoo commits late with an old write_date, beyond the overlap: the comparison of ids finds it. */
export const lateCommit: Script = {
  stage: () => ({ yaml: [['collectOverlapSeconds: 60', 'collectOverlapSeconds: 1']] }),
  async run(stage) {
    const { running } = stage
    await stage.calm('worker', 'subscriber')
    const body = {
      state: 'sale',
      team: 'MercadoLibre',
      partner: 'María Pérez',
      lines: [{ sku: 'SKU-001', quantity: 1, price: 5_000 }],
      commit_after_ms: 4_000,
    }
    const late = running.odoo('POST', '/admin/orders', body)
    const made = await perform(stage, erpOrders(3, 'MercadoLibre'))
    await late
    stage.fire('a commit 4 s late, overlap 1 s', 'the order of that transaction')
    await stage.calm('reconciler')
    const { erpToMarketplace } = expectedOf(made)
    await stage.eventually(async () => (await delivered(stage, ML)) === erpToMarketplace + 1, 'the late one is found')
    return { erpToMarketplace: erpToMarketplace + 1, marketplaceToErp: 0 }
  },
}

const line = (quantity: number, sku: string | null = 'SKU-001') => ({ sku, quantity, price: 5_000 })
/** As many as an order may have. */
const MOST_LINES = 5_000
const ARCHIVED = 'SKU-010'

/** Records of the ERP that can never become orders of a marketplace, and where each is held. */
const HELD: readonly { lines: object[]; what: string; as: Omit<Declared, 'reference'> }[] = [
  { what: 'quantity 0', lines: [line(0)], as: { cause: 'erp-order-invalid', state: 'quarantined', channel: 'odoo' } },
  { what: 'a negative quantity', lines: [line(-1)], as: { cause: 'erp-order-invalid', state: 'quarantined', channel: 'odoo' } },
  { what: 'no SKU', lines: [line(1, null)], as: { cause: 'erp-order-invalid', state: 'quarantined', channel: 'odoo' } },
  // Half a piece is no mistake of the ERP: it is held where only whole ones are taken.
  { what: 'half a piece', lines: [line(0.5)], as: { cause: 'unsupported-by-target', state: 'dead', channel: ML } },
]

/** O3: records that cannot become orders of the other side: each is held alone with its cause, the others flow. */
export const strangeRecords: Script = {
  // Thousands of lines take a while to read and to send.
  stage: () => ({
    yaml: [
      ['timeoutMs: 600', 'timeoutMs: 6000'],
      ['leaseMs: 2500', 'leaseMs: 10000'],
    ],
  }),
  async run(stage) {
    const held: Declared[] = []
    for (const { lines, as } of HELD) held.push({ reference: (await erpOrder(stage, { lines })).name, ...as })
    const made = await perform(stage, erpOrders(3, 'MercadoLibre'))
    await erpOrder(stage, { lines: [line(1), { sku: null, name: 'a section' }] })
    await erpOrder(stage, { lines: Array.from({ length: MOST_LINES }, () => line(1)) })
    await stage.running.odoo('POST', `/admin/products/${ARCHIVED}/archive`, {})
    // What was sold before goes on; what is sold of it at a marketplace is no product of the ERP any more.
    await erpOrder(stage, { lines: [line(1, ARCHIVED)] })
    const sale = await bought(stage, { items: [{ sku: ARCHIVED, quantity: 1, unit_price: 9_000 }] })
    held.push({ reference: String(sale.order_ids[0]), cause: 'sku-unknown', state: 'dead', channel: 'odoo', soldAt: ML })
    stage.fire(
      `${HELD.map(({ what }) => what).join(', ')}, a section, ${MOST_LINES} lines, an archived product`,
      held.map((one) => one.reference).join(' '),
    )
    const began = performance.now()
    await stage.calm(...EVERYTHING)
    const flowing = expectedOf(made).erpToMarketplace + 3
    await stage.eventually(async () => (await delivered(stage, ML)) === flowing, 'the others flow')
    stage.figures['seconds until all others were delivered'] = Math.round(performance.now() - began) / 1000
    await stage.eventually(async () => (await dead(stage)) === 2, 'the half piece and the sale end')
    await heldAsDeclared(stage, held)
    return withIncidents(stage, { erpToMarketplace: flowing, marketplaceToErp: 0 }, held)
  },
}

async function heldAsDeclared(stage: Stage, held: readonly Declared[]): Promise<void> {
  const quarantined = await stage.rows<{ erp_name: string }>(`SELECT erp_name FROM erp_quarantine WHERE resolved_at IS NULL`)
  const wanted = held.filter((one) => one.state === 'quarantined').map((one) => one.reference)
  stage.check(
    isSame(
      quarantined.map((row) => row.erp_name),
      wanted,
    ),
    `quarantined are ${JSON.stringify(quarantined)}`,
  )
  const died = await stage.rows<{ channel: string; cause: string; tries: number; attempts: number }>(
    `SELECT channel, cause, tries, (SELECT count(*)::int FROM attempt a WHERE a.delivery_id = d.id) AS attempts FROM delivery d WHERE state = 'dead'`,
  )
  const half = died.find((one) => one.cause === 'unsupported-by-target')
  stage.check(half?.channel === ML && half.tries + half.attempts === 0, `of half a piece nothing is sent: ${JSON.stringify(half)}`)
  const sold = died.find((one) => one.cause === 'sku-unknown')
  stage.check(sold?.channel === 'odoo' && sold.tries === 1, `an archived product is asked for once: ${JSON.stringify(sold)}`)
}

const isSame = (one: readonly string[], other: readonly string[]): boolean => one.toSorted().join(' ') === other.toSorted().join(' ')

/** O4: confirmed and cancelled, or edited by hand, between two polls. */
export const betweenPolls: Script = {
  async run(stage) {
    const made = await perform(stage, [...erpOrders(3, 'MercadoLibre'), ...erpOrders(3, 'Paris')])
    await stage.calm(...EVERYTHING)
    await stage.eventually(async () => (await delivered(stage, ML)) === 3 && (await delivered(stage, 'paris:main')) === 3, 'delivered')
    await stage.endCalm()
    const changes: Act[] = [
      { act: 'erp-amend', of: 0, quantity: 5 },
      { act: 'erp-cancel', of: 1 },
      { act: 'erp-hand-edit', of: 1 },
      { act: 'erp-amend', of: 3, quantity: 4 },
      { act: 'erp-cancel', of: 3 },
    ]
    await perform(stage, changes, made)
    stage.fire('amended, cancelled and edited by hand between two polls', made.erp.map((order) => `odoo-${order.id}`).join(' '))
    await stage.calm(...EVERYTHING)
    const versions = () =>
      stage.rows(`SELECT FROM delivery WHERE channel <> 'odoo' AND kind = 'order' AND version > 1 AND state = 'delivered'`)
    // Amended and cancelled between the same two polls, an order has one new version.
    await stage.eventually(async () => (await versions()).length === 3, 'three changed orders are sent anew')
    return expectedOf(made)
  },
}

/** O5: the ERP's database is restored to an earlier moment, and its ids are used again for other orders. */
export const erpRestored: Script = {
  async run(stage) {
    const { running } = stage
    await perform(stage, erpOrders(2, 'MercadoLibre'))
    await stage.calm(...EVERYTHING)
    await stage.eventually(async () => (await delivered(stage, ML)) === 2, 'delivered')
    const { entries } = (await running.odoo('GET', '/admin/ledger')) as { entries: { seq: number }[] }
    const lost = await erpOrder(stage)
    const made = Date.now()
    await stage.eventually(async () => (await delivered(stage, ML)) === 3, 'the third is delivered')
    await stage.endCalm()
    await running.odoo('POST', '/admin/restore', { seq: entries.at(-1)?.seq })
    // An ERP tells a creation by the second, and no restore takes less.
    await stage.eventually(async () => Date.now() > made + 1_000, 'a second passes')
    const again: ErpMade = await erpOrder(stage, { partner: 'Otro Cliente', lines: [{ sku: 'SKU-004', quantity: 7, price: 1_000 }] })
    stage.fire('a restored ERP gave an id away again', `odoo-${again.id}`)
    stage.check(again.id === lost.id, 'the id is used again')
    // One more beside it, under an id that nobody knows.
    await erpOrder(stage)
    const before = await copies(stage, lost)
    await stage.calm(...EVERYTHING)
    await stage.eventually(async () => (await delivered(stage, ML)) === 4, 'the one beside it flows')
    const held = () =>
      stage.rows<{ problem: string }>(
        `SELECT problem FROM erp_quarantine WHERE erp_id = $1 AND field = 'create_date' AND resolved_at IS NULL AND seen_at > found_at`,
        [String(again.id)],
      )
    const [row] = await stage.eventually(
      async () => ((await held()).length > 0 ? held() : undefined),
      'it is held, and again at the next reading',
    )
    stage.check(row?.problem.includes('make it anew') ?? false, `the quarantine says what to do: ${row?.problem}`)
    const other = await stage.rows(
      `SELECT FROM delivery d JOIN desired w ON w.id = d.desired_id WHERE w.content::text LIKE '%SKU-004%' AND d.channel <> 'odoo'`,
    )
    stage.check(other.length === 0, 'nothing of another order is owed to a marketplace under the id of the known one')
    const after = await copies(stage, lost)
    stage.check(before.length > 0 && JSON.stringify(after) === JSON.stringify(before), 'the copy of the known one is as it was')
    return null
  },
}

/** O5: two companies sell through teams of one name: a rule keeps the orders of the other one at home. What no rule names goes everywhere. */
export const twoCompanies: Script = {
  stage: () => ({ yaml: [['routing:', `routing:\n  - { name: other company, when: { company: Comercial Andes Norte SpA }, to: [] }`]] }),
  async run(stage) {
    const other = await erpOrder(stage, { company: OTHER_COMPANY })
    const made = await perform(stage, erpOrders(3, 'MercadoLibre'))
    stage.fire('an order of another company', `odoo-${other.id} ${made.erp.map((order) => `odoo-${order.id}`).join(' ')}`)
    await stage.calm(...EVERYTHING)
    await stage.eventually(async () => (await delivered(stage, ML)) === made.erp.length, 'the orders of the first company flow')
    const known = () =>
      stage.rows<{ owed: number }>(
        `SELECT (SELECT count(*)::int FROM delivery d WHERE d.order_id = s.id AND d.kind = 'order') AS owed
         FROM silver_order s WHERE s.origin = 'odoo' AND s.order_key = $1`,
        [String(other.id)],
      )
    const [row] = await stage.eventually(async () => ((await known()).length > 0 ? known() : undefined), 'the order of the other is read')
    stage.check(row?.owed === 0, `nothing of it is owed to a marketplace: ${row?.owed}`)
    stage.check((await copies(stage, other)).length === 0, 'and none has it')
    return expectedOf(made)
  },
}

const OTHER_COMPANY = 2

/** Every state of the order's copy at MercadoLibre, as its ledger holds them. */
async function copies({ running }: Stage, { id }: ErpMade): Promise<unknown[]> {
  const { entries } = (await running.meli('GET', '/admin/ledger')) as { entries: { order?: { external_reference?: string } }[] }
  return entries.flatMap(({ order }) => (order?.external_reference === `odoo-${id}` ? [order] : []))
}
