import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import type { Config } from '../config.ts'
import { countFrom } from './count.ts'
import { type CliContext, CliError, type Register } from './context.ts'
import { ownHub } from './own-hub.ts'
import { PEOPLE, PRODUCTS } from './seed/catalogue.ts'
import { INCLUDED_TAX } from './seed/erp-orders.ts'
import { cancelPurchase, listMeliOrders, moveShipment, nickOf } from './seed/mercadolibre-purchases.ts'
import { createParisOrder, emitParis } from './seed/paris-orders.ts'
import { type SeededRandom, seededRandom } from './seed/seeded-random.ts'
import { sideBySide, type SimulatorApi, simulatorApi } from './seed/simulator-api.ts'

export interface TrafficOptions {
  config: Config
  /** Events a minute, on average. */
  perMinute: number
  signal: AbortSignal
  progress: (line: string) => void
}

const MOST_PER_MINUTE = 6_000
const MOST_IN_BURST = 100_000

/** `rosh traffic`: what happens at a retailer, through the simulators. */
export const registerTraffic: Register = (program, context) => {
  program
    .command('traffic')
    .description('make traffic through the simulators of a running demo: a gentle stream, or a burst of webhooks')
    .option('--per-minute <count>', 'events a minute, until Ctrl-C', '6')
    .option('--burst <count>', 'post this many webhooks at once instead, most of them copies')
    .option('--json', 'print one JSON object after a burst')
    .action((options: { perMinute: string; burst?: string; json?: boolean }) => runTraffic(context, options))
}

async function runTraffic(context: CliContext, options: { perMinute: string; burst?: string; json?: boolean }): Promise<void> {
  const config = ownHub(context)
  const { signal, progress } = context
  if (options.burst === undefined) {
    const perMinute = countFrom('--per-minute', options.perMinute, [1, MOST_PER_MINUTE])
    return liveTraffic({ config, perMinute, signal, progress })
  }
  const sent = await burst({ config, count: countFrom('--burst', options.burst, [1, MOST_IN_BURST]), signal })
  context.print(
    options.json ? JSON.stringify(sent) : `${sent.webhooks} webhooks about ${sent.orders} purchases, ${sent.copies} of them copies`,
  )
}

/** Runs until the signal aborts, then returns. A simulator that does not answer costs its own event and no more. */
export async function liveTraffic({ config, perMinute, signal, progress }: TrafficOptions): Promise<void> {
  refuseRealSystems(config)
  const api = simulatorApi(config, signal)
  const startedAt = Math.floor(Date.now() / 1000)
  const day: Day = {
    api,
    random: seededRandom(startedAt),
    sellers: config.file.mercadolibre.accounts.map(Number),
    label: `VIVO-${startedAt}`,
    count: 0,
    erp: [],
    purchases: [],
    paris: [],
  }
  try {
    while (!signal.aborted) {
      await wait((60_000 / perMinute) * (0.6 + 0.8 * day.random.next()), undefined, { signal })
      try {
        progress(await happen(day))
      } catch (error) {
        if (!(error instanceof CliError)) throw error
        progress(`skipped: ${error.message}`)
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    await api.close()
  }
}

function refuseRealSystems({ odoo, mercadolibre, paris }: Config): void {
  if (odoo.simulated && mercadolibre.simulated && paris.simulated) return
  throw new CliError('real-system', 'traffic is made at simulators only; unset the variables of the real system')
}

interface Day {
  api: SimulatorApi
  random: SeededRandom
  sellers: number[]
  /** Starts every reference of this run. */
  label: string
  count: number
  /** What this run made and may still change; it touches nothing else, the incidents least of all. */
  erp: { id: number; sku: string; quantity: number }[]
  purchases: { orderId: number; shipmentId: number; stages: string[] }[]
  paris: { id: string; stages: string[] }[]
}

/** One thing that happens, as a sentence. What has nothing to act on yet becomes something new. */
async function happen(day: Day): Promise<string> {
  day.count += 1
  const draw = day.random.next()
  const told =
    draw < 0.28
      ? undefined
      : draw < 0.52
        ? await shipPurchase(day)
        : draw < 0.68
          ? await advanceParis(day)
          : draw < 0.74
            ? await amendErpOrder(day)
            : draw < 0.79
              ? await cancelSomething(day)
              : undefined
  return told ?? (await somethingNew(day))
}

async function somethingNew(day: Day): Promise<string> {
  const draw = day.random.next()
  if (draw < 0.5) return newErpOrder(day)
  return draw < 0.8 ? newPurchase(day) : newParisOrder(day)
}

const Created = z.object({ orders: z.tuple([z.object({ id: z.number(), name: z.string() })]) })

async function newErpOrder(day: Day): Promise<string> {
  const { api, random } = day
  const product = random.pick(PRODUCTS)
  const quantity = random.between(1, 3)
  const { orders } = await api.ask(Created, {
    on: 'odoo-sim',
    method: 'POST',
    path: '/admin/orders',
    body: {
      origin: `${day.label}-${day.count}`,
      partner: random.pick(PEOPLE).name,
      team: random.pick(['MercadoLibre', 'MercadoLibre', 'Paris']),
      tags: random.next() < 0.15 ? ['Outlet'] : [],
      lines: [{ sku: product.default_code, quantity, price: product.price, tax: INCLUDED_TAX }],
      state: 'sale',
    },
  })
  day.erp.push({ id: orders[0].id, sku: product.default_code, quantity })
  return `new ERP order ${orders[0].name}`
}

const Bought = z.object({ order_ids: z.array(z.number()).min(1), shipment_id: z.number() })

async function newPurchase(day: Day): Promise<string> {
  const { random, sellers } = day
  const count = random.pick([1, 1, 1, 2])
  const items = Array.from({ length: count }, () => random.pick(PRODUCTS)).map((p) => ({
    sku: p.default_code,
    quantity: 1,
    unit_price: p.price,
  }))
  const { order_ids, shipment_id } = await purchase(day.api, { seller: random.pick(sellers), nickname: nicknameOf(day), items })
  const [orderId = 0] = order_ids
  if (count === 1) day.purchases.push({ orderId, shipmentId: shipment_id, stages: ['ready_to_ship', 'shipped', 'delivered'] })
  return `new purchase ${orderId}`
}

function nicknameOf({ random, label, count }: Pick<Day, 'random' | 'label' | 'count'>): string {
  return `${nickOf(random.pick(PEOPLE).name)}_${label}-${count}`
}

async function purchase(
  api: SimulatorApi,
  { seller, nickname, items }: { seller: number; nickname: string; items: { sku: string; quantity: number; unit_price: number }[] },
): Promise<z.infer<typeof Bought>> {
  const shipping = { mode: 'me2', logistic_type: 'drop_off', status: 'handling', substatus: null }
  return api.ask(Bought, {
    on: 'meli-sim',
    method: 'POST',
    path: '/admin/purchases',
    body: { seller, buyer: { nickname }, items, shipping },
  })
}

async function newParisOrder(day: Day): Promise<string> {
  const { random } = day
  const items = [{ sku: random.pick(PRODUCTS).default_code, qty: random.between(1, 2) }]
  const { id } = await createParisOrder(day.api, { external_ref: `${day.label}-${day.count}`, buyer: random.pick(PEOPLE).name, items })
  await emitParis(day.api, id, 'accepted')
  day.paris.push({ id, stages: ['ready_to_ship', 'shipped', 'delivered'] })
  return `new Paris order ${id}`
}

async function shipPurchase(day: Day): Promise<string | undefined> {
  const next = day.purchases.find((one) => one.stages.length > 0)
  const stage = next?.stages.shift()
  if (!next || stage === undefined) return undefined
  await moveShipment(day.api, next.shipmentId, stage)
  return `shipment ${next.shipmentId} is ${stage}`
}

async function advanceParis(day: Day): Promise<string | undefined> {
  const next = day.paris.find((one) => one.stages.length > 0)
  const stage = next?.stages.shift()
  if (!next || stage === undefined) return undefined
  await emitParis(day.api, next.id, stage)
  return `Paris order ${next.id} is ${stage}`
}

async function amendErpOrder(day: Day): Promise<string | undefined> {
  const order = day.erp.at(-1)
  if (!order) return undefined
  order.quantity += 1
  const lines = [{ sku: order.sku, quantity: order.quantity }]
  await day.api.text({ on: 'odoo-sim', method: 'POST', path: `/admin/orders/${order.id}/edit`, body: { lines } })
  return `ERP order ${order.id} amended`
}

async function cancelSomething(day: Day): Promise<string | undefined> {
  const fresh = day.purchases.find((one) => one.stages.length === 3)
  if (fresh && day.random.next() < 0.5) {
    fresh.stages = []
    await cancelPurchase(day.api, fresh.orderId)
    return `purchase ${fresh.orderId} cancelled`
  }
  const order = day.erp.pop()
  if (!order) return undefined
  await day.api.text({ on: 'odoo-sim', method: 'POST', path: `/admin/orders/${order.id}/cancel`, body: {} })
  return `ERP order ${order.id} cancelled`
}

const COPIES = 5
const Settings = z.object({ duplicateNotifications: z.number() })

/** New purchases whose notifications MercadoLibre posts `COPIES` times, and touches that tell of nothing: `count` webhooks or a few more. */
async function burst({
  config,
  count,
  signal,
}: Pick<TrafficOptions, 'config' | 'signal'> & { count: number }): Promise<{ webhooks: number; orders: number; copies: number }> {
  refuseRealSystems(config)
  const api = simulatorApi(config, signal)
  const settings = { on: 'meli-sim', path: '/admin/settings' } as const
  try {
    const { duplicateNotifications } = await api.ask(Settings, { ...settings, method: 'GET' })
    await api.text({ ...settings, method: 'PUT', body: { duplicateNotifications: COPIES } })
    try {
      return await sendBurst(api, config, count)
    } finally {
      await api.text({ ...settings, method: 'PUT', body: { duplicateNotifications } })
    }
  } finally {
    await api.close()
  }
}

// A purchase tells of its order and its shipment.
async function sendBurst(api: SimulatorApi, config: Config, count: number): Promise<{ webhooks: number; orders: number; copies: number }> {
  const told = Math.ceil(count / COPIES)
  const purchases = Math.max(1, Math.ceil(told / 10))
  const label = `RAFAGA-${Date.now()}`
  const random = seededRandom(Date.now())
  const [seller = 0] = config.file.mercadolibre.accounts.map(Number)
  await sideBySide([...Array(purchases).keys()], 8, async (at) => {
    const product = random.pick(PRODUCTS)
    const items = [{ sku: product.default_code, quantity: 1, unit_price: product.price }]
    await purchase(api, { seller, nickname: nicknameOf({ random, label, count: at }), items })
  })
  const made = (await listMeliOrders(api)).filter((order) => order.nickname.includes(label))
  const touches = Array.from({ length: Math.max(0, told - 2 * purchases) }, (_, at) => made[at % made.length]?.id ?? 0)
  await sideBySide(touches, 8, async (id) => {
    await api.text({ on: 'meli-sim', method: 'POST', path: `/admin/orders/${id}/touch`, body: { no_bump: true } })
  })
  const notified = 2 * purchases + touches.length
  return { webhooks: notified * COPIES, orders: made.length, copies: notified * (COPIES - 1) }
}
