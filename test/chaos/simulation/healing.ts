import { MARKETPLACES } from './channels.ts'
import { repeatUnanswered, replayAll } from './perform.ts'
import { beginRound, inBackground, type Round } from './rounds.ts'
import { NODES, type World } from './world.ts'

const MOST_ROUNDS = 14
/** Longer than the longest backoff. */
const ROUND_MS = 10 * 3_600_000
const MOST_TURNS = 2_000

/** Misfortune ends: faults are over, nodes live, a person connects the refused accounts anew and replays what is dead. Then time goes by until all is at rest. */
export async function heal(world: World): Promise<void> {
  world.trace.push('> heal')
  world.fates.clear()
  for (const name of NODES) world.node(name).life.crash = null
  await finishTurns(world)
  await world.owner.query(`UPDATE channel SET paused_at = NULL, pause_cause = NULL WHERE marketplace = 'mercadolibre'`)
  let before = ''
  for (let round = 0; round < MOST_ROUNDS; round++) {
    await world.pass(ROUND_MS)
    await oneRound(world, NODES[round % NODES.length] ?? NODES[0])
    const now = await stateOf(world)
    if (now.open === 0 && now.text === before) return
    before = now.text
  }
  world.breach(`nothing comes to rest: ${before}`)
  world.prove()
}

const EVERY: readonly [Round, string][] = [
  ['collect', 'odoo'],
  ['reread', 'odoo'],
  ...MARKETPLACES.flatMap((id): [Round, string][] => [
    ['apply', id],
    ['sweep', id],
  ]),
  ...['odoo', ...MARKETPLACES].flatMap((id): [Round, string][] => [
    ['deliver', id],
    ['compare', id],
  ]),
  ['suspects', 'odoo'],
]

// A new life for each: it also ends the attempts that dead ones left open.
async function oneRound(world: World, name: string): Promise<void> {
  await world.restart(name)
  inBackground(world, `${name} repeated webhooks`, repeatUnanswered(world, name))
  inBackground(world, `${name} replay`, replayAll(world, name))
  await finishTurns(world)
  for (const [round, channel] of EVERY) {
    beginRound(world, world.node(name), round, channel)
    await finishTurns(world)
  }
}

async function finishTurns(world: World): Promise<void> {
  await world.turns.give(MOST_TURNS, world.prove)
  if (world.turns.waiting > 0) world.breach(`a flow took ${MOST_TURNS} turns and goes on`)
  world.prove()
}

async function stateOf(world: World): Promise<{ open: number; text: string }> {
  const { rows } = await world.owner.query<{ open: number; text: string }>(
    `SELECT (SELECT count(*) FROM delivery WHERE state IN ('pending', 'ambiguous') OR state = 'dead' AND resolved_by IS NULL)::int
          + (SELECT count(*) FROM inbound_event WHERE state = 'pending' OR state = 'dead' AND resolved_by IS NULL)::int
          + (SELECT count(*) FROM attempt WHERE outcome IS NULL)::int AS open,
       (SELECT coalesce(string_agg(id || ' ' || state || coalesce(' ' || cause, ''), ', ' ORDER BY id), '') FROM delivery)
         || ' | ' || (SELECT coalesce(string_agg(id || ' ' || state || coalesce(' ' || cause, ''), ', ' ORDER BY id), '') FROM inbound_event)
         || ' | attempts ' || (SELECT count(*) FILTER (WHERE outcome IS NULL) FROM attempt)
         || ' | observations ' || (SELECT count(*) FROM observation) AS text`,
  )
  return rows[0] ?? { open: 1, text: '' }
}
