import { cancelOrder, type MemoryErpOrder } from '../../../src/drivers/memory/erp-book.ts'
import type { MemoryMarketplace, MemoryOrder } from '../../../src/drivers/memory/marketplace.ts'
import { memoryWebhooks } from '../../../src/drivers/memory/webhook.ts'
import { receiveWebhook } from '../../../src/flows/receive-webhook.ts'
import { replayDeadLetter } from '../../../src/flows/replay-dead-letter.ts'
import { InboxFull } from '../../../src/ports/inbox.ts'
import type { Action } from './actions.ts'
import { beginRound, inBackground } from './rounds.ts'
import { SKUS, type World } from './world.ts'

/** What people, buyers, marketplaces and misfortune do. Flows that it begins go on in turns. */
export async function perform(world: World, action: Action): Promise<void> {
  world.trace.push(`> ${JSON.stringify(action)}`)
  switch (action.do) {
    case 'confirm':
      world.book.add({
        state: 'sale',
        picking: { state: 'assigned', tracking: '' },
        lines: [lineOf(world.book.orders.size, action.pieces)],
      })
      return
    case 'edit':
      return write(world, action.order, (order) => {
        for (const line of order.lines) line.quantity = action.pieces
      })
    case 'cancel':
      return write(world, action.order, (order) => void cancelOrder(order))
    case 'buy':
      return buy(marketOf(world, action.market), action.pieces)
    case 'ship':
      return change(world, action.order, () => ({ fulfilment: 'shipped' }))
    case 'cancel-purchase':
      return change(world, action.order, (order) => (order.reference === null ? { cancelled: true } : {}))
    case 'webhook':
      return hook(world, action.node, action.order, action.again)
    case 'round':
      return beginRound(world, world.node(action.node), action.round, action.channel)
    case 'turns':
      return world.turns.give(action.count, world.prove)
    case 'crash': {
      const { calls, point, statement } = action
      world.node(action.node).life.crash = { calls, point, statement }
      return
    }
    case 'fault':
      return world.fates.add(action.channel, action.on, action.fates)
    case 'replay':
      return inBackground(world, `${action.node} replay`, replayAll(world, action.node))
    case 'pass':
      return world.pass(action.ms)
  }
}

function lineOf(seed: number, quantity: number): MemoryErpOrder['lines'][number] {
  return { sku: SKUS[seed % SKUS.length] ?? SKUS[0], quantity, unitPriceMinor: 1_000 }
}

// People change what people typed, and nothing that is cancelled.
async function write(world: World, nth: number, act: (order: MemoryErpOrder) => void): Promise<void> {
  const open = [...world.book.orders.values()].filter((order) => order.byHub === null && order.state === 'sale')
  const order = open[nth % Math.max(open.length, 1)]
  if (order) await world.book.write(order.id, act)
}

function marketOf(world: World, channel: string): MemoryMarketplace {
  const market = world.markets.find((one) => one.channel === channel)
  if (!market) throw new Error(`no marketplace ${channel}`)
  return market
}

// Ids of both accounts run into each other on purpose: only the channel tells them apart.
function buy(market: MemoryMarketplace, pieces: number): void {
  const id = String(3_000_000_000_001 + [...market.orders.values()].filter((order) => order.reference === null).length)
  const sku = SKUS[pieces % SKUS.length] ?? SKUS[0]
  const lines = [{ sku, quantity: String(pieces), unitPriceMinor: 1_000 }]
  market.buy({ id, fulfilment: 'to_prepare', lines, currency: 'CLP', totalMinor: pieces * 1_000 })
}

const everyOrder = (world: World): { market: MemoryMarketplace; order: MemoryOrder }[] =>
  world.markets.flatMap((market) => [...market.orders.values()].map((order) => ({ market, order })))

function change(world: World, nth: number, to: (order: MemoryOrder) => Partial<MemoryOrder>): void {
  const all = everyOrder(world).filter(({ order }) => !order.cancelled)
  const chosen = all[nth % Math.max(all.length, 1)]
  const changes = chosen && to(chosen.order)
  if (chosen && changes && Object.keys(changes).length > 0) chosen.market.change(chosen.order.id, changes)
}

const SECRET = 'a-secret-for-tests'

/** A webhook of an order that a marketplace holds, or one that was sent before: late, and out of order, as it comes. */
function hook(world: World, name: string, nth: number, again: number | null): void {
  const all = everyOrder(world)
  const about = all[nth % Math.max(all.length, 1)]
  const repeated = again === null ? undefined : world.hooks[again % Math.max(world.hooks.length, 1)]
  const fresh = about && {
    channel: about.market.channel,
    body: JSON.stringify({ id: `e-${world.hooks.length + 1}`, order: about.order.id }),
  }
  const sent = repeated ?? fresh
  if (!sent) return
  if (!repeated) world.hooks.push(sent)
  inBackground(world, `${name} webhook`, receive(world, name, sent))
}

/** A sender repeats what was not answered 2xx. */
export async function repeatUnanswered(world: World, name: string): Promise<void> {
  for (const sent of world.hooks) if (!world.acknowledged.includes(sent.body)) await receive(world, name, sent)
}

async function receive(world: World, name: string, { channel, body }: { channel: string; body: string }): Promise<void> {
  const { ports } = world.node(name)
  const heard = { headers: { 'x-memory-secret': SECRET, 'content-type': 'application/json' }, sourceIp: null, receivedAtMs: world.nowMs() }
  try {
    const received = await receiveWebhook(
      { ...heard, path: `memory/${channel}`, body: new TextEncoder().encode(body) },
      memoryWebhooks(channel, SECRET),
      ports.inbox,
    )
    if (received.kind === 'stored') world.acknowledged.push(body)
  } catch (error) {
    if (!(error instanceof InboxFull)) throw error // answered 503: the sender comes again
  }
}

const OPERATOR = { id: 'operator', scopes: new Set(['dlq.replay'] as const), via: 'cli' as const }

/** A person replays everything that was given up on; what may not be replayed is refused. */
export async function replayAll(world: World, name: string): Promise<void> {
  const { ports } = world.node(name)
  const { rows } = await world.owner.query<{ id: string }>(
    `SELECT 'outbox-' || id AS id FROM delivery WHERE (state = 'dead' OR cause = 'poison') AND resolved_by IS NULL
     UNION ALL SELECT 'inbound-' || id FROM inbound_event WHERE state = 'dead' AND resolved_by IS NULL ORDER BY 1`,
  )
  for (const { id } of rows) await replayDeadLetter({ principal: OPERATOR, outboxId: id, reason: null, tool: 'simulation' }, ports)
}
