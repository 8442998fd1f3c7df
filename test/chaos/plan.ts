import { z } from 'zod'

/** Points of one send, at whichever system it is. */
export const SEND_POINTS = [
  'before-intent',
  'after-intent',
  'before-send',
  'after-send-before-response',
  'after-response-before-finish',
  'mid-finish',
  'after-finish',
] as const
/** Where a node can be stopped, in the order of its journey. */
const WORKER_POINTS = ['mid-collect', 'after-claim', ...SEND_POINTS, 'dead-letter'] as const
export const RECEIVER_POINTS = ['before-transaction', 'inside-transaction', 'after-commit-before-200', 'after-200'] as const
export const SUBSCRIBER_POINTS = ['after-event-claim', 'after-fetch', 'mid-apply'] as const
export const RECONCILER_POINTS = ['mid-comparison', 'mid-sweep'] as const
export const POINTS = [...WORKER_POINTS, ...RECEIVER_POINTS, ...SUBSCRIBER_POINTS, ...RECONCILER_POINTS] as const
/** Points of single scenarios, not of the matrix. */
export const OTHER_POINTS = ['token-save'] as const
export type Failpoint = (typeof POINTS)[number] | (typeof OTHER_POINTS)[number]

export const ROLES = ['worker', 'subscriber', 'receiver', 'reconciler'] as const
export type Role = (typeof ROLES)[number]
/** Every role but the receiver: the scenario's own process listens for webhooks. */
export const EVERYTHING = ['worker', 'subscriber', 'reconciler'] as const satisfies readonly Role[]

/** `kill` and `stop` (frozen for two leases) need a process of their own; `throw` (a bug) and `delay` (longer than a lease) do not. */
export const ACTIONS = ['kill', 'stop', 'throw', 'delay'] as const
export type Action = (typeof ACTIONS)[number]

export const PROFILES = ['naive', 'naive-lagging', 'external-ref-unique', 'idempotent-key'] as const
export type Profile = (typeof PROFILES)[number]

export const MUTANTS = [
  'ref-batch-txn',
  'no-fence',
  'no-settle',
  'dedup-before-enqueue',
  'arrival-wins',
  'swallow-audit',
  'retry-4xx',
] as const
export type Mutant = (typeof MUTANTS)[number]

/** What is under way when something fails: orders that nobody else knows yet, or changes of orders that are known everywhere. */
export const WORKS = ['creation', 'change'] as const
export type Work = (typeof WORKS)[number]

const Victim = z.object({
  role: z.enum(ROLES),
  point: z.enum([...POINTS, ...OTHER_POINTS]),
  /** The hit of the point at which it happens. */
  nth: z.number().int().min(1),
  action: z.enum(ACTIONS),
  /** Marketplace or `odoo`; only its hits count. Null: any. */
  system: z.string().nullable(),
})
export type Victim = z.infer<typeof Victim>

/** Everything that a run needs: the same plan runs the same scenario again. */
export const Plan = z.object({
  id: z.string(),
  /** Row of the failure catalogue. */
  row: z.string(),
  title: z.string(),
  script: z.string(),
  seed: z.number().int(),
  profile: z.enum(PROFILES).default('naive'),
  work: z.enum(WORKS).default('creation'),
  victim: Victim.nullable().default(null),
  /** Names of faults of `faults.ts`. */
  faults: z.array(z.string()).default([]),
  mutant: z.enum(MUTANTS).nullable().default(null),
  /** It measures what other scenarios beside it would lift: it runs when none does. */
  alone: z.literal(true).optional(),
  /** Of a soak, which is no scenario: what it was started with. */
  soak: z.object({ minutes: z.number().int(), perSecond: z.number().int() }).optional(),
})
export type Plan = z.infer<typeof Plan>

/** A fault that happened, and which work was under way. */
export const Fired = z.object({ at: z.string(), fault: z.string(), inFlight: z.string() })
export type Fired = z.infer<typeof Fired>

export const RunRecord = z.object({
  plan: Plan,
  at: z.string(),
  commit: z.string(),
  seconds: z.number(),
  result: z.enum(['green', 'red']),
  /** Why it is red; empty when green. */
  problems: z.array(z.string()),
  fired: z.array(Fired),
  /** What was done to the hub, in order: milliseconds since the start. */
  schedule: z.array(z.object({ ms: z.number(), what: z.string() })),
  orders: z.object({ erpToMarketplace: z.number(), marketplaceToErp: z.number() }),
  /** Breaches by invariant. Empty: every one of them held. */
  breaches: z.record(z.string(), z.number()),
  figures: z.record(z.string(), z.number()),
  /** Channels that were made to fail on purpose. */
  faultyChannels: z.array(z.string()).default([]),
  /** What was committed between these instants of the machine's clock was lost on purpose. */
  lostWindow: z.object({ from: z.string(), to: z.string() }).nullable().default(null),
  /** Null: the run came to no judgement, or it is on record from before this was noted. */
  judgedBy: z.enum(['auditor', 'assertions']).nullable().default(null),
})
export type RunRecord = z.infer<typeof RunRecord>

/** Reproducible draws of a plan: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
