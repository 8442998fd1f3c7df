import { setTimeout as wait } from 'node:timers/promises'
import { type Simulator, startWorld, type World } from './isolation-world.ts'

// Does a marketplace that takes orders and never answers slow down the other one? The same load runs with and without the fault, in pairs;
// the p95 of the healthy marketplace from due to acknowledged may grow by at most a fifth (median of the pairs). The load is real: orders
// confirmed in odoo-sim, collected and delivered by `rosh worker`. BENCH_ROUNDS (pairs, 7), BENCH_SECONDS (of load a round, 20: of fewer
// orders the p95 is a matter of luck) and BENCH_FAULTY (mercadolibre or paris) change it.

const LIMIT = 1.2
const BURST = 300
const rounds = Number(process.env.BENCH_ROUNDS ?? 7)
const seconds = Number(process.env.BENCH_SECONDS ?? 20)

interface Side {
  team: string
  channel: string
  simulator: Simulator
}
const MELI: Side = { team: 'MercadoLibre', channel: 'mercadolibre:1001', simulator: 'meli-sim' }
const PARIS: Side = { team: 'Paris', channel: 'paris:main', simulator: 'paris-mock' }
const [faulty, healthy] = process.env.BENCH_FAULTY === 'paris' ? [PARIS, MELI] : [MELI, PARIS]

const FAULT = { match: { method: 'POST', path: '^/orders$' }, fault: 'accept-then-hang' }

interface Round {
  p50: number
  p95: number
  orders: number
}

const world = await startWorld()
try {
  process.exitCode = (await run(world)) ? 0 : 1
} finally {
  await world.stop()
}

async function run(w: World): Promise<boolean> {
  await burst(w) // warms up
  const ceiling = await burst(w)
  const rate = ceiling / 2
  console.log(
    `healthy ceiling ${ceiling.toFixed(0)} orders/s over both marketplaces; load ${rate.toFixed(0)} orders/s, ${seconds} s a round`,
  )
  console.log(
    `fault: accept-then-hang on every create at ${faulty.channel}; measured: ${healthy.channel}, due to acknowledged, milliseconds`,
  )
  console.log('pair   orders  without p50    p95   with fault p50    p95   ratio of p95')
  const ratios: number[] = []
  for (let pair = 1; pair <= rounds; pair += 1) {
    // Which one comes first alternates, so that what grows during the run favours neither.
    const order = pair % 2 === 1 ? [false, true] : [true, false]
    const done = new Map<boolean, Round>()
    for (const fault of order) done.set(fault, await round(w, rate, fault))
    const [without, within] = [done.get(false), done.get(true)]
    if (!without || !within) throw new Error('a round is missing')
    ratios.push(within.p95 / without.p95)
    const cells = [pair, without.orders, without.p50, without.p95, within.p50, within.p95].map((n) => n.toFixed(0))
    const [no, orders, p50, p95, fp50, fp95] = cells
    console.log(
      `${no?.padStart(4)} ${orders?.padStart(8)} ${p50?.padStart(12)} ${p95?.padStart(6)} ${fp50?.padStart(16)} ${fp95?.padStart(6)} ${ratios.at(-1)?.toFixed(2).padStart(14)}`,
    )
  }
  const ratio = median(ratios)
  const exact = await countsAreExact(w)
  console.log(`median ratio ${ratio.toFixed(2)}, allowed ${LIMIT}; ledgers ${exact ? 'hold every order exactly once' : 'DO NOT match'}`)
  return ratio <= LIMIT && exact
}

/** Orders a second that leave when all are there at once, both marketplaces healthy. */
async function burst(w: World): Promise<number> {
  const since = await newest(w)
  await Promise.all([MELI, PARIS].map((side) => newOrders(w, side, BURST)))
  await untilSettled(w, since, { [MELI.channel]: BURST, [PARIS.channel]: BURST })
  const { rows } = await w.owner.query<{ s: number }>(
    `SELECT extract(epoch FROM max(a.ended_at) - min(d.created_at))::float8 AS s
     FROM delivery d JOIN attempt a ON a.delivery_id = d.id WHERE d.id > $1 AND d.kind = 'order'`,
    [since],
  )
  return (2 * BURST) / (rows[0]?.s ?? 1)
}

async function round(w: World, rate: number, fault: boolean): Promise<Round> {
  const since = await newest(w)
  if (fault) await w.admin(faulty.simulator, 'PUT', '/admin/faults', [FAULT])
  const made = await load(w, rate)
  if (fault) await w.admin(faulty.simulator, 'DELETE', '/admin/faults')
  await untilSettled(w, since, { [MELI.channel]: made, [PARIS.channel]: made })
  const { rows } = await w.owner.query<{ p50: number; p95: number; n: number }>(
    `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS p50, percentile_cont(0.95) WITHIN GROUP (ORDER BY ms) AS p95, count(*)::int AS n
     FROM (SELECT extract(epoch FROM max(a.ended_at) - d.created_at)::float8 * 1000 AS ms
           FROM delivery d JOIN attempt a ON a.delivery_id = d.id AND a.outcome = 'ok'
           WHERE d.id > $1 AND d.kind = 'order' AND d.channel = $2 AND d.state = 'delivered' GROUP BY d.id) AS acknowledged`,
    [since, healthy.channel],
  )
  const [measured] = rows
  if (!measured || measured.n !== made) throw new Error(`${measured?.n ?? 0} of ${made} orders were acknowledged by ${healthy.channel}`)
  return { p50: measured.p50, p95: measured.p95, orders: made }
}

/** Open loop: one order for each marketplace every so often, whether or not the last ones are done. Answers how many each got. */
async function load(w: World, rate: number): Promise<number> {
  const everyMs = 2_000 / rate
  const most = Math.round((seconds * 1000) / everyMs)
  const started = performance.now()
  const open: Promise<void>[] = []
  for (let n = 0; n < most; n += 1) {
    await wait(Math.max(0, started + n * everyMs - performance.now()))
    open.push(newOrders(w, MELI, 1), newOrders(w, PARIS, 1))
  }
  await Promise.all(open)
  return most
}

async function newOrders(w: World, side: Side, count: number): Promise<void> {
  const lines = [{ sku: 'SKU-001', quantity: 1, price: 10_000 }]
  await w.admin('odoo-sim', 'POST', '/admin/orders', { team: side.team, state: 'sale', count, lines })
}

async function newest(w: World): Promise<string> {
  const { rows } = await w.owner.query<{ id: string }>(`SELECT coalesce(max(id), 0)::text AS id FROM delivery`)
  return rows[0]?.id ?? '0'
}

async function untilSettled(w: World, since: string, expected: Record<string, number>): Promise<void> {
  const end = performance.now() + 180_000
  for (;;) {
    const { rows } = await w.owner.query<{ channel: string; delivered: number; others: number }>(
      `SELECT channel, count(*) FILTER (WHERE state = 'delivered')::int AS delivered, count(*) FILTER (WHERE state <> 'delivered')::int AS others
       FROM delivery WHERE id > $1 AND kind = 'order' AND channel <> 'odoo' GROUP BY channel`,
      [since],
    )
    if (Object.entries(expected).every(([channel, n]) => rows.some((r) => r.channel === channel && r.delivered === n && r.others === 0)))
      return
    if (performance.now() > end) throw new Error(`still ${JSON.stringify(rows)} after 180 s, expected ${JSON.stringify(expected)}`)
    await wait(100)
  }
}

/** Each delivered order stands in its marketplace's own ledger exactly once, and nothing else does. */
async function countsAreExact(w: World): Promise<boolean> {
  const exact = await Promise.all([MELI, PARIS].map((side) => countIsExact(w, side)))
  return exact.every(Boolean)
}

async function countIsExact(w: World, side: Side): Promise<boolean> {
  const { entries } = (await w.admin(side.simulator, 'GET', '/admin/ledger?since=0')) as {
    entries: { kind: string; act?: string; by?: string; reference?: string | null }[]
  }
  const created = entries.filter((e) => e.kind === 'order' && e.act === 'created' && e.by === 'client').map((e) => String(e.reference))
  const { rows } = await w.owner.query<{ reference: string }>(
    `SELECT b.reference FROM binding b JOIN delivery d ON d.binding_id = b.id WHERE b.kind = 'order' AND b.channel = $1 AND d.state = 'delivered'`,
    [side.channel],
  )
  const owed = rows.map((row) => row.reference)
  const doubled = created.length - new Set(created).size
  const missing = owed.filter((reference) => !created.includes(reference)).length
  console.log(
    `${side.simulator}: ${created.length} orders created, ${owed.length} delivered by the hub, ${doubled} doubled, ${missing} missing`,
  )
  return doubled === 0 && missing === 0 && created.length === owed.length
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}
