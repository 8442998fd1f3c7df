import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DesiredOrder } from '../../../src/core/desired.ts'
import { INTEGRATION_ERROR_CODES } from '../../../src/core/integration-error.ts'
import type { DeliveryState } from '../../../src/core/delivery.ts'
import { DeliveryWorld, type Fate } from './delivery-world.ts'
import type { Rule } from './outbox-model.ts'

/** What should be true in the end: the newest version, and whether a send of it may be refused for good. */
interface Expected {
  newest: DesiredOrder
}

type Command = fc.AsyncCommand<Expected, DeliveryWorld>

function desired(quantity: number, cancelled = false): DesiredOrder {
  return {
    kind: 'order',
    origin: 'odoo',
    orderKey: '42',
    lifecycle: cancelled ? 'cancelled' : 'open',
    fulfilment: null,
    tracking: null,
    confirm: true,
    currency: 'CLP',
    totalMinor: quantity * 100,
    lines: [{ lineId: '1', sku: 'A', quantity: String(quantity), unitPriceMinor: 100 }],
  }
}

function command(name: string, act: (world: DeliveryWorld, expected: Expected) => Promise<void> | void): Command {
  return {
    check: () => true,
    run: async (expected, world) => {
      await act(world, expected)
      world.prove()
    },
    toString: () => name,
  }
}

const someone = fc.nat({ max: 1 })
const aFate = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Fate>('fine') },
  { weight: 2, arbitrary: fc.constantFrom<Fate>('late', 'answer-lost') },
  { weight: 2, arbitrary: fc.constantFrom<Fate>(...INTEGRATION_ERROR_CODES) },
)

const commands = [
  fc.tuple(fc.integer({ min: 1, max: 3 }), fc.boolean()).map(([quantity, cancel]) =>
    command(`Plan(${quantity}${cancel ? ', cancelled' : ''})`, (world, expected) => {
      expected.newest = desired(quantity, cancel || expected.newest.lifecycle === 'cancelled')
      world.model.plan(expected.newest)
    }),
  ),
  someone.map((at) => command(`Claim(${at})`, (world) => (world.busy(at) ? undefined : world.claim(at)))),
  fc.tuple(someone, aFate).map(([at, fate]) => command(`Step(${at}, ${fate})`, (world) => world.step(at, fate))),
  fc.tuple(someone, fc.integer({ min: 1, max: 4 }), aFate).map(([at, calls, fate]) =>
    command(`Steps(${at}, ${calls}, ${fate})`, async (world) => {
      if (!world.busy(at)) await world.claim(at)
      for (let i = 0; i < calls && world.busy(at); i++) await world.step(at, fate)
    }),
  ),
  someone.map((at) => command(`Crash(${at})`, (world) => world.crash(at))),
  fc.constantFrom(1_500, 6_000, 12_000, 7_200_000).map((ms) => command(`Pass(${ms} ms)`, (world) => world.pass(ms))),
  fc.constant(command('Replay', (world) => world.model.replay())),
]

async function runDelivery(cmds: Iterable<Command>, without: Rule | null): Promise<void> {
  const world = new DeliveryWorld(without)
  const expected = { newest: desired(1) }
  world.model.plan(expected.newest)
  await fc.asyncModelRun(() => ({ model: expected, real: world }), cmds)
  await world.drain()
  world.prove()
  const ended: DeliveryState[] = ['delivered', 'superseded', 'dead']
  for (const row of world.model.rows) expect(ended, `version ${row.version}`).toContain(row.state)
  const newest = world.model.rows.at(-1)
  expect(newest?.state).toBe('delivered')
  expect(world.shows(expected.newest)).toBe(true)
}

function runDeliveries(without: Rule | null, fixed: { numRuns: number; seed?: number }): Promise<void> {
  const runs = fc.asyncProperty(fc.commands(commands, { maxCommands: 40 }), (cmds) => runDelivery(cmds, without))
  return fc.assert(runs, fixed)
}

test('no run of plans, claims, lost answers, crashes and replays doubles, loses or miscalls an order', async () => {
  await expect(runDeliveries(null, { numRuns: 200 })).resolves.toBeUndefined()
})

test.each<Rule>(['settle window', 'stopwatch'])('without the %s an order is doubled, and the commands find it', async (rule) => {
  await expect(runDeliveries(rule, { numRuns: 5_000, seed: 42 })).rejects.toThrow(/Property failed/)
})

/** A worker hears that nothing was sent, and is frozen before it says so; another one settles the row, sends, and dies. */
async function finishLate(without: Rule | null): Promise<DeliveryWorld> {
  const world = new DeliveryWorld(without)
  const steps = async (at: number, fates: readonly Fate[]): Promise<void> => {
    await world.claim(at)
    for (const fate of fates) await world.step(at, fate)
  }
  world.model.plan(desired(1))
  await steps(0, ['fine', 'fine', 'unreachable'])
  await world.pass(12_000)
  await steps(1, ['fine', 'fine', 'fine', 'fine', 'late'])
  world.crash(1)
  await world.step(0, 'fine')
  await world.pass(6_000)
  await steps(1, ['fine', 'fine', 'fine', 'fine', 'fine', 'fine'])
  await world.pass(60_000)
  return world
}

test('without the fence a frozen worker moves a row that another one sent, and the order is doubled', async () => {
  const fenced = await finishLate(null)
  fenced.prove()
  const open = await finishLate('fence')
  expect(() => open.prove()).toThrow(/created 2 times/)
})
