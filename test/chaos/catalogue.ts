// Over 300 lines because every row of the failure catalogue stands in this one table, so that none is silently missing.
import type { FaultName } from './faults.ts'
import { olderCommit } from './older-build.ts'
import type { Action, Failpoint, Plan, Profile, Victim } from './plan.ts'
import { roleOf } from './matrix-plans.ts'

export interface CatalogueRow {
  /** As `reliability.md` names it. */
  row: string
  inject: string
  holds: string
  /** What runs; empty with a reason. */
  scenarios: readonly Scenario[]
  /** Why nothing of it runs, or what of it does not. */
  not?: string
  /** What the machine must be, or the copy of the repository have, for it. */
  needs?: keyof typeof IS_MET
}

interface Scenario {
  script: string
  what: string
  seed?: number
  profile?: Profile
  victim?: Victim
  faults?: readonly FaultName[]
  alone?: true
}

const at = (point: Failpoint, action: Action = 'kill', more: Partial<Victim> = {}): Victim => ({
  role: roleOf(point),
  point,
  nth: 1,
  action,
  system: 'mercadolibre',
  ...more,
})
const hit = (point: Failpoint, what: string, ...systems: string[]): Scenario[] =>
  (systems.length > 0 ? systems : ['mercadolibre']).map((system) => ({
    script: 'matrix',
    what: `${what}, ${system}`,
    victim: at(point, 'kill', { system }),
  }))
const under = (faults: readonly FaultName[], profile: Profile = 'naive'): Scenario[] =>
  faults.map((fault) => ({ script: 'matrix', what: fault, faults: [fault], profile }))
const run = (script: string, what: string, ...seeds: number[]): Scenario[] =>
  (seeds.length > 0 ? seeds : [1]).map((seed) => ({ script, what, seed }))

const TARGETS = ['mercadolibre', 'paris', 'odoo']

/** Every row of the failure catalogue; a row without a scenario says why. */
export const CATALOGUE: readonly CatalogueRow[] = [
  {
    row: 'K1',
    inject: 'kill -9 receiver before its transaction',
    holds: 'I1; redelivery; no double',
    scenarios: hit('before-transaction', 'killed'),
  },
  { row: 'K2', inject: 'kill -9 receiver inside the transaction', holds: 'as K1', scenarios: hit('inside-transaction', 'killed') },
  {
    row: 'K3',
    inject: 'kill -9 receiver after commit, before the 200',
    holds: 'as K1',
    scenarios: hit('after-commit-before-200', 'killed'),
  },
  { row: 'K4', inject: 'kill -9 receiver after the 200', holds: 'as K1', scenarios: hit('after-200', 'killed') },
  {
    row: 'K5',
    inject: 'SIGTERM receiver mid-request',
    holds: 'as K1',
    scenarios: [{ script: 'receiverEnds', what: 'told to end mid-request', victim: at('before-transaction', 'delay') }],
  },
  {
    row: 'K6',
    inject: 'kill -9 worker after claim',
    holds: 'I2 I3 I5 I11',
    scenarios: [...hit('after-claim', 'killed', ...TARGETS), ...hit('before-intent', 'killed')],
  },
  { row: 'K7', inject: 'kill -9 worker after intent', holds: 'I2 I3 I5 I11', scenarios: hit('after-intent', 'killed', ...TARGETS) },
  { row: 'K8', inject: 'kill -9 worker before send', holds: 'I2 I3 I5 I11', scenarios: hit('before-send', 'killed', ...TARGETS) },
  {
    row: 'K9',
    inject: 'kill -9 worker after send, before the response',
    holds: 'I2 I3 I5 I11',
    scenarios: hit('after-send-before-response', 'killed', ...TARGETS),
  },
  {
    row: 'K10',
    inject: 'kill -9 worker after the response, before finish',
    holds: 'I2 I3 I5 I11',
    scenarios: hit('after-response-before-finish', 'killed', ...TARGETS),
  },
  { row: 'K11', inject: 'kill -9 worker after finish', holds: 'I2 I3 I5 I11', scenarios: hit('after-finish', 'killed', ...TARGETS) },
  { row: 'K12', inject: 'kill -9 worker in the dead-letter transition', holds: 'I2 I3 I5 I11', scenarios: hit('dead-letter', 'killed') },
  {
    row: 'K13',
    inject: 'kill normaliser after fetch, and mid-apply; collector mid-write',
    holds: 'I4 I15; rerun converges',
    scenarios: [
      ...hit('after-fetch', 'killed'),
      ...hit('mid-apply', 'killed'),
      { script: 'matrix', what: 'collector killed', victim: at('mid-collect', 'kill', { system: null }) },
    ],
  },
  {
    row: 'K14',
    inject: 'kill reconciler mid-write',
    holds: 'I4 I15; rerun converges',
    scenarios: [...hit('mid-sweep', 'killed'), ...hit('mid-comparison', 'killed')],
  },
  {
    row: 'K15',
    inject: 'kill migrator midway',
    holds: 'rerun comes to the same schema',
    scenarios: run('migratorDies', 'killed after 2, 3 and 4 migrations', 0, 1, 2),
  },
  {
    row: 'K16',
    inject: 'kill between audit intent and effect, and between effect and outcome',
    holds: 'I7; outcome unknown, then resolved: `ok` where it took effect, else an error without effect',
    scenarios: run('operatorDies', 'killed', 1, 2),
  },
  {
    row: 'D1',
    inject: 'PostgreSQL restart (fast, immediate) under load',
    holds: 'recovers in < 10 s; I1-I3 I12',
    scenarios: run('restarted', 'fast and immediate', 2, 1),
  },
  {
    row: 'D2',
    inject: 'drop the connection mid-transaction and at COMMIT',
    holds: 'retry by key, no double',
    scenarios: [...under(['database resets', 'database answers late']), ...hit('mid-finish', 'dies before COMMIT', ...TARGETS)],
  },
  {
    row: 'D3',
    inject: 'pool exhausted; a lock of 5 s on a hot table and on a hot row; statement timeout',
    holds: '503 with Retry-After; nothing acknowledged; bounded queue',
    not: 'behind statements that are ended after 15 s a webhook may wait for 30 s; then its connection ends: it is not acknowledged, and hears no Retry-After',
    scenarios: [
      ...run('lockedOut', 'inbox locked'),
      ...run('lockedOut', 'row of the account locked'),
      ...run('poolExhausted', 'no connection left'),
      ...run('statementTooLong', 'statement too long'),
    ],
  },
  { row: 'D4', inject: 'read-only database', holds: 'refuses to acknowledge; recovers', scenarios: run('readOnly', 'read-only') },
  {
    row: 'D4',
    inject: 'disk full (small tmpfs)',
    holds: 'refuses to acknowledge; recovers; no corruption',
    scenarios: run('diskFull', 'disk full'),
    needs: 'root',
  },
  {
    row: 'D5',
    inject: 'failover to a stale snapshot',
    holds: 'reconciler restores I2 by look-up',
    scenarios: run('staleSnapshot', 'an older snapshot'),
  },
  { row: 'D6', inject: 'sequences beyond 32 bits, near 2^53', holds: 'no overflow', scenarios: run('bigNumbers', 'big numbers') },
  { row: 'D6', inject: '10^6 rows', holds: 'a claim uses an index', scenarios: run('manyRows', 'a million deliveries') },
  {
    row: 'M1',
    inject: 'accept, then hang / reset / empty 200 / truncated body',
    holds: 'ambiguous; look-up; I2',
    scenarios: under([
      'meli accepts and hangs',
      'meli accepts and resets',
      'meli answers nothing',
      'meli cuts its answer',
      'paris accepts and hangs',
      'paris accepts and resets',
      'odoo accepts and hangs',
      'odoo accepts and resets',
    ]),
  },
  {
    row: 'M2',
    inject: 'accept later than our timeout',
    holds: 'settle window; I2',
    scenarios: [...run('acceptedLate', 'accepted late'), ...under(['meli accepts late', 'paris accepts late'])],
  },
  {
    row: 'M3',
    inject: 'search index lags behind create',
    holds: 'settle and cross-check by id',
    scenarios: under(['meli accepts and hangs', 'paris accepts and hangs'], 'naive-lagging'),
  },
  {
    row: 'M4',
    inject: '429 with seconds / date / absent / absurd; 503 Retry-After',
    holds: 'I10',
    scenarios: run('askedToWait', 'asked to wait'),
  },
  { row: 'M5', inject: '5xx for 1 min', holds: 'zero dead letters; drained in order', scenarios: run('outage', 'outage of a minute') },
  {
    row: 'M5',
    inject: '5xx for 1 h',
    holds: 'zero dead letters; drained in order',
    scenarios: run('outage', 'outage of an hour'),
    not: '6 h is documented behaviour: 12 sends over about 28 h',
  },
  {
    row: 'M6',
    inject: '400 / 404 / 409 / 422',
    holds: 'one attempt; a conflict is read again',
    scenarios: run('permanentErrors', 'refused for good'),
  },
  {
    row: 'M7',
    inject: '1 byte/s; silence; HTML 200; 50 MB reply',
    holds: 'timeouts, size cap',
    scenarios: run('strangeAnswers', 'strange answers'),
  },
  { row: 'M8', inject: 'one marketplace black-holed', holds: 'I9: the others complete', scenarios: run('blackHole', 'black hole') },
  {
    row: 'M9',
    inject: 'DNS failure; redirect to a private address',
    holds: 'not followed, clear cause',
    scenarios: run('wrongAddress', 'wrong address', 1, 2),
    not: 'TLS expiry is proven by the conformance suite of the HTTP client, which has certificates of its own',
  },
  { row: 'W1', inject: 'duplicate x 100, concurrent', holds: 'I1 I4', scenarios: run('duplicates', 'a hundred copies') },
  {
    row: 'W2',
    inject: 'all permutations of 5 states',
    holds: 'I1 I4',
    scenarios: run('permutedStates', '24 of 120 permutations', 0, 1, 2, 3, 4),
  },
  { row: 'W3', inject: 'event 24 h late', holds: 'I1 I4', scenarios: run('dayLate', 'a day late') },
  { row: 'W4', inject: 'same id, different body', holds: 'conflict recorded, not dropped', scenarios: run('conflicting', 'two bodies') },
  {
    row: 'W5',
    inject: 'old timestamp; skew of 4 and 6 min; wrong key',
    holds: 'accept/reject table exact',
    scenarios: run('timestamps', 'timestamps'),
  },
  {
    row: 'W6',
    inject: 'malformed, deep, NUL, surrogates, long ids, __proto__, invalid UTF-8, false gzip',
    holds: 'never 5xx; stored or rejected',
    scenarios: run('hostileBodies', 'hostile bodies'),
  },
  {
    row: 'W7',
    inject: '1 and 10 MB, endless body, slow senders, 1000 idle sockets',
    holds: 'memory flat; others unaffected',
    scenarios: [{ script: 'greedySenders', what: 'greedy senders', seed: 1, alone: true }],
    needs: 'linux',
  },
  {
    row: 'W8',
    inject: 'event lost entirely',
    holds: 'the sweep finds an order, and the daily look at what is on its way a shipment',
    scenarios: [...run('lostForGood', 'all lost'), ...run('shipmentLostForGood', 'of a shipment')],
  },
  {
    row: 'W9',
    inject: 'event before our push response',
    holds: 'correlates later; one row',
    scenarios: run('toldBeforeAnswered', 'told before answered'),
  },
  { row: 'T1', inject: 'token expires mid-batch', holds: 'one refresh; zero tries burned', scenarios: run('tokenEnds', 'token ends') },
  {
    row: 'T2',
    inject: '20 refreshes from four processes, single-use grant',
    holds: 'one refresh',
    scenarios: run('twentyRefreshes', 'twenty at once'),
  },
  {
    row: 'T3',
    inject: 'crash between exchange and save',
    holds: 'channel paused, zero tries burned; alert',
    scenarios: [
      {
        script: 'diedBeforeSave',
        what: 'dies before the save',
        victim: { role: 'worker', point: 'token-save', nth: 1, action: 'kill', system: 'mercadolibre' },
      },
    ],
  },
  {
    row: 'T4',
    inject: 'invalid_grant',
    holds: 'channel paused, zero tries burned; alert',
    scenarios: run('invalidGrant', 'grant refused'),
  },
  {
    row: 'O1',
    inject: 'Odoo down 1 h: 500 / hang / login revoked',
    holds: 'outbound continues; catch-up',
    scenarios: run('erpAway', '500, silence, revoked', 0, 1, 2),
  },
  {
    row: 'O2',
    inject: 'a transaction commits late with an old write_date',
    holds: 'found by overlap or set of ids',
    scenarios: run('lateCommit', 'late commit'),
  },
  {
    row: 'O3',
    inject: 'quantity 0.5, 0, negative; missing SKU; section; archived product; 5,000 lines',
    holds: 'that order held with its cause, others flow',
    scenarios: run('strangeRecords', 'strange records'),
  },
  {
    row: 'O4',
    inject: 'confirmed, then cancelled or edited between polls; human edits',
    holds: 'cancel propagates; I15',
    scenarios: run('betweenPolls', 'between polls'),
  },
  {
    row: 'O5',
    inject: 'database restored, ids used again; two companies',
    holds: 'another order never overwrites; another company’s is not routed',
    scenarios: [...run('erpRestored', 'restored'), ...run('twoCompanies', 'two companies')],
  },
  {
    row: 'P1',
    inject: 'poison delivery that throws',
    holds: 'isolated; the rest flows',
    scenarios: [{ script: 'poisonous', what: 'throws', victim: at('before-intent', 'throw') }],
  },
  {
    row: 'P2',
    inject: 'poison delivery that ends its process',
    holds: 'isolated; the rest flows',
    scenarios: [{ script: 'poisonous', what: 'ends its process', victim: at('before-intent', 'kill') }],
  },
  {
    row: 'P3',
    inject: 'poison delivery that hangs the worker',
    holds: 'isolated; the rest flows',
    scenarios: [{ script: 'poisonous', what: 'freezes its worker', victim: at('before-intent', 'stop') }],
  },
  { row: 'R1', inject: 'several workers, same deliveries', holds: 'I2 I11', scenarios: run('manyWorkers', 'three workers') },
  {
    row: 'R2',
    inject: 'lease expires during send (SIGSTOP, then SIGCONT)',
    holds: 'I2 I11',
    scenarios: ['after-send-before-response', 'after-response-before-finish'].flatMap((point) =>
      TARGETS.map((system) => ({
        script: 'matrix',
        what: `frozen ${point}, ${system}`,
        victim: at(point as Failpoint, 'stop', { system }),
      })),
    ),
  },
  {
    row: 'R3',
    inject: 'clock 1 h ahead or behind on one worker, which then dies',
    holds: 'I2 I11; database clock only',
    scenarios: [1, 2].map((seed) => ({
      script: 'wrongClock',
      what: seed % 2 ? '+1 h' : '-1 h',
      seed,
      victim: at('after-send-before-response'),
    })),
  },
  {
    row: 'R4',
    inject: 'operator replays while in flight; two operators at once',
    holds: 'one wins, one is refused',
    scenarios: run('replaysInFlight', 'replays'),
  },
  {
    row: 'S1',
    inject: 'migrate under load: column, index, backfill',
    holds: 'I1-I3; lock < 1 s; the present binary goes on on the next schema',
    scenarios: run('migratedUnderLoad', 'migrated under load'),
  },
  {
    row: 'S2',
    inject: 'old and new binary together',
    holds: 'I1-I3',
    scenarios: [1, 2].map((seed) => ({
      script: 'twoBuilds',
      what: seed % 2 ? 'the older one dies' : 'the newer one dies',
      seed,
      victim: at('after-send-before-response', 'kill', { nth: 2 }),
    })),
    needs: 'history',
  },
  {
    row: 'S3',
    inject: 'old binary on the new schema',
    holds: 'I1-I3',
    scenarios: [
      { script: 'olderAlone', what: 'the build before the newest migration', victim: at('after-send-before-response', 'kill', { nth: 2 }) },
    ],
    needs: 'history',
  },
  { row: 'B1', inject: 'broker redelivery', holds: 'no effect', scenarios: [], not: 'not in this version: the bus is PostgreSQL' },
  { row: 'B2', inject: 'broker outage', holds: 'no effect', scenarios: [], not: 'not in this version: the bus is PostgreSQL' },
  { row: 'B3', inject: 'loss of all messages', holds: 'no effect', scenarios: [], not: 'not in this version: the bus is PostgreSQL' },
  { row: 'Q1', inject: 'delivery 7 of 10 is bad', holds: '9 delivered, 1 dead', scenarios: run('oneBad', 'one bad of ten') },
  {
    row: 'C1',
    inject: 'rotate the webhook key',
    holds: 'overlap works; old key dies',
    scenarios: run('webhookKeyRotated', 'the sender changes its key'),
  },
  {
    row: 'C2',
    inject: 'rotate the key-encryption key',
    holds: 'overlap works; old key dies',
    scenarios: run('encryptionKeyRotated', 'the key-encryption key is replaced'),
  },
  {
    row: 'C3',
    inject: 'rotate the database password',
    holds: 'connected nodes go on; the old password dies',
    scenarios: run('passwordChanged', 'password changed'),
  },
  {
    row: 'A1',
    inject: 'prompt injection in buyer name, address and error text',
    holds: 'no action',
    scenarios: run('injectedWords', 'injected words'),
  },
  {
    row: 'A2',
    inject: 'agent loops replay 1000 times',
    holds: 'write budget stops it',
    scenarios: run('loopingAgent', 'a thousand replays'),
  },
  { row: 'A3', inject: 'stale plan', holds: 'rejected', scenarios: run('stalePlan', 'stale plan') },
  {
    row: 'A4',
    inject: 'audit table locked, or full',
    holds: 'fails closed',
    scenarios: [...run('auditLocked', 'audit locked'), ...run('auditRefused', 'audit full')],
  },
  {
    row: 'X1',
    inject: 'telemetry backend down or slow: who reads the log stops or is gone, its disk is full',
    holds: 'no effect on the data path',
    scenarios: ['stopped', 'gone', 'full'].flatMap((state, seed) => run('unreadLog', state, seed)),
    not: 'of the log: no other telemetry is exported in this version',
    needs: 'linux',
  },
]

/** The scenarios of every row, each under a name of its own. */
export function cataloguePlans(): Plan[] {
  const counted = new Map<string, number>()
  return CATALOGUE.filter(isRunnable).flatMap(({ row, scenarios }) =>
    scenarios.map((scenario): Plan => {
      const number = (counted.get(row) ?? 0) + 1
      counted.set(row, number)
      return {
        id: `${row}-${number}`,
        row,
        title: scenario.what,
        script: scenario.script,
        seed: scenario.seed ?? 100 + number,
        profile: scenario.profile ?? 'naive',
        work: 'creation',
        victim: scenario.victim ?? null,
        faults: [...(scenario.faults ?? [])],
        mutant: null,
        ...(scenario.alone && { alone: true }),
      }
    }),
  )
}

/** Whether its scenarios can run here. */
export function isRunnable({ needs }: CatalogueRow): boolean {
  return needs === undefined || IS_MET[needs]()
}

const IS_MET = {
  /** `/proc`, `/dev/full` and its pipes. */
  linux: (): boolean => process.platform === 'linux',
  root: (): boolean => process.getuid?.() === 0,
  history: (): boolean => olderCommit() !== null,
}
