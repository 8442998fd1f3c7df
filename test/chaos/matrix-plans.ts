import type { FaultName } from './faults.ts'
import { pairwise } from './pairwise.ts'
import {
  type Action,
  ACTIONS,
  type Failpoint,
  type Plan,
  POINTS,
  type Profile,
  PROFILES,
  RECEIVER_POINTS,
  RECONCILER_POINTS,
  SEND_POINTS,
  type Role,
  seeded,
  SUBSCRIBER_POINTS,
  type Victim,
  type Work,
} from './plan.ts'

// Classes of faults, each of one meaning; the seed of a scenario says which one of its class it gets.
const NOTHING: readonly FaultName[] = []
const MELI_UNKNOWN: readonly FaultName[] = [
  'meli accepts and hangs',
  'meli accepts and resets',
  'meli answers nothing',
  'meli cuts its answer',
  'meli answers HTML',
  'meli hangs',
]
const PARIS_UNKNOWN: readonly FaultName[] = [
  'paris accepts and hangs',
  'paris accepts and resets',
  'paris answers nothing',
  'paris cuts its answer',
]
const LATE: readonly FaultName[] = ['meli accepts late', 'paris accepts late']
const REFUSED: readonly FaultName[] = ['meli answers 500', 'meli answers 429', 'paris answers 503 with Retry-After']
const READS: readonly FaultName[] = ['meli reads fail']
const ODOO: readonly FaultName[] = ['odoo accepts and hangs', 'odoo accepts and resets', 'odoo answers 500', 'odoo hangs']
const WEBHOOKS: readonly FaultName[] = ['webhooks are doubled', 'webhooks are late', 'webhooks are lost']
const DATABASE: readonly FaultName[] = ['database resets', 'database answers late']
const NETWORK: readonly FaultName[] = [
  'meli is half open',
  'meli is a black hole',
  'meli answers are cut at byte 120',
  'odoo requests are cut at byte 90',
  'paris refuses connections',
]
const CLASSES = [NOTHING, MELI_UNKNOWN, PARIS_UNKNOWN, LATE, REFUSED, READS, ODOO, WEBHOOKS, DATABASE, NETWORK]
/** Fewer and wider, so that the pairs fit into minutes. */
const GATE_CLASSES = [NOTHING, [...MELI_UNKNOWN, ...PARIS_UNKNOWN, ...LATE], WEBHOOKS, [...REFUSED, ...READS, ...ODOO], DATABASE, NETWORK]
const NTHS = [1, 2, 3]
/** A change takes orders that are known everywhere first, so fewer scenarios have one. */
const GATE_WORKS: readonly Work[] = ['creation', 'creation', 'creation', 'creation', 'creation', 'change']
const CHANGES_IN_FULL = 1 / 3
/** Once a batch or once a run: a second hit may never come. */
const HAPPENS_ONCE: readonly Failpoint[] = [
  'mid-collect',
  'after-claim',
  'dead-letter',
  'after-event-claim',
  'mid-apply',
  'mid-sweep',
  'mid-comparison',
]

interface Cell {
  point: Failpoint
  nth: number
  action: Action
  faults: readonly FaultName[]
  profile: Profile
  work: Work
}

/** So many fit into minutes, and the pairs of the classes above need a few less. */
const GATE_LEAST = 120
/** A seed of the pairs with which every single fault comes up too (`gate.test.ts`). */
const PAIRS_SEED = 26

/** At least 120 scenarios in which every two of failpoint, hit, action, class of fault, profile and kind of work meet. */
export function gatePlans(): Plan[] {
  const sizes = [POINTS.length, NTHS.length, ACTIONS.length, GATE_CLASSES.length, PROFILES.length, GATE_WORKS.length]
  const rows = pairwise(sizes, (row) => isPossible(cellOf(row)), { seed: PAIRS_SEED, least: GATE_LEAST })
  return rows.map((row, at) => planOf(`gate-${String(at + 1).padStart(3, '0')}`, cellOf(row), 1_000 + at))
}

/** Failpoint × hit × fault × profile; the action goes around, half of it on real processes that are killed or stopped; the work is drawn. */
export function fullPlans(): Plan[] {
  const plans: Plan[] = []
  for (const point of POINTS)
    for (const nth of NTHS)
      for (const faults of CLASSES)
        for (const profile of PROFILES) {
          const at = plans.length
          const action = (['kill', 'throw', 'delay', 'kill', 'throw', 'stop'] as const)[at % 6] ?? 'kill'
          const work: Work = seeded(10_000 + at)() < CHANGES_IN_FULL ? 'change' : 'creation'
          const cell = { point, nth, action, faults, profile, work }
          if (isPossible(cell)) plans.push(planOf(`full-${String(at + 1).padStart(4, '0')}`, cell, 10_000 + at))
        }
  return plans
}

/** kill -9 at every step of both journeys, a send at each system, nothing else failing and nothing deduplicated at the target. */
export function killPlans(): Plan[] {
  const cells = POINTS.flatMap((point) => [...Array(isSomewhere(point) ? SYSTEMS.length : 1).keys()].map((system) => ({ point, system })))
  // A seed that is a multiple of the systems, and one of them on top, names the system.
  return cells.map(({ point, system }, at) =>
    planOf(
      `kill-${String(at + 1).padStart(2, '0')}`,
      { point, nth: 1, action: 'kill', faults: [], profile: 'naive', work: 'creation' },
      100 * SYSTEMS.length * (at + 1) + system,
    ),
  )
}

function cellOf(row: readonly number[]): Cell {
  const at = (factor: number): number => row[factor] ?? 0
  return {
    point: POINTS[at(0)] ?? 'after-claim',
    nth: NTHS[at(1)] ?? 1,
    action: ACTIONS[at(2)] ?? 'kill',
    faults: GATE_CLASSES[at(3)] ?? [],
    profile: PROFILES[at(4)] ?? 'naive',
    work: GATE_WORKS[at(5)] ?? 'creation',
  }
}

/** Faults that cannot be at a point. */
const NEVER_AT: Partial<Record<Failpoint, readonly FaultName[]>> = {
  // A refusal without a body names no SKU: what the dead letter must say would be another cause.
  'dead-letter': ['meli answers nothing'],
  // A sweep fetches only what no notification told of.
  'mid-sweep': WEBHOOKS,
}
function isPossible({ point, nth, action }: Cell): boolean {
  if (nth > 1 && HAPPENS_ONCE.includes(point)) return false
  // Nothing is left to freeze, throw or delay once the answer has gone.
  return point !== 'after-200' || action === 'kill'
}

function planOf(id: string, cell: Cell, seed: number): Plan {
  const victim = victimOf(cell, seed)
  const at = victim.system === null ? '' : ` at ${victim.system}`
  const faults = cell.faults.filter((one) => !NEVER_AT[cell.point]?.includes(one))
  const fault = faults[seed % faults.length]
  const under = fault === undefined ? '' : ` while ${fault}`
  return {
    id,
    row: ROW_OF[cell.point],
    title: `${victim.role}: ${cell.action} ${cell.point}${at}, hit ${cell.nth}${under}, ${cell.profile}${cell.work === 'change' ? ', orders that change' : ''}`,
    script: 'matrix',
    seed,
    profile: cell.profile,
    work: cell.work,
    victim,
    faults: fault === undefined ? [] : [fault],
    mutant: null,
  }
}

const SYSTEMS = ['mercadolibre', 'paris', 'odoo']
const isSomewhere = (point: Failpoint): boolean => SEND_POINTS.some((one) => one === point) || point === 'after-claim'

/** What is hit where; the seed says at which system a send is. */
function victimOf({ point, nth, action }: Cell, seed: number): Victim {
  const role = roleOf(point)
  if (isSomewhere(point)) return { role, point, nth, action, system: SYSTEMS[seed % SYSTEMS.length] ?? null }
  return { role, point, nth, action, system: point === 'mid-collect' ? null : 'mercadolibre' }
}

export function roleOf(point: Failpoint): Role {
  const has = (points: readonly Failpoint[]): boolean => points.includes(point)
  if (has(RECEIVER_POINTS)) return 'receiver'
  if (has(SUBSCRIBER_POINTS)) return 'subscriber'
  return has(RECONCILER_POINTS) ? 'reconciler' : 'worker'
}

const ROW_OF: Record<Failpoint, string> = {
  'token-save': 'T3',
  'before-transaction': 'K1',
  'inside-transaction': 'K2',
  'after-commit-before-200': 'K3',
  'after-200': 'K4',
  'mid-collect': 'K13',
  'after-claim': 'K6',
  'before-intent': 'K6',
  'after-intent': 'K7',
  'before-send': 'K8',
  'after-send-before-response': 'K9',
  'after-response-before-finish': 'K10',
  'mid-finish': 'D2',
  'after-finish': 'K11',
  'dead-letter': 'K12',
  'after-event-claim': 'K13',
  'after-fetch': 'K13',
  'mid-apply': 'K13',
  'mid-comparison': 'K14',
  'mid-sweep': 'K14',
}
