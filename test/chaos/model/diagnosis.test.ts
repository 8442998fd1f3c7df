import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CAUSE_CODES, type CauseCode } from '../../../src/core/cause-code.ts'
import { DELIVERY_STATES } from '../../../src/core/delivery.ts'
import { diagnose, type Diagnosis } from '../../../src/core/diagnosis.ts'
import { INBOUND_STATES } from '../../../src/core/inbound-event.ts'
import type { ChannelFact, DeliveryFact, OrderFacts } from '../../../src/core/order-facts.ts'
import { aBinding, aChannelFact, aDelivery, aSilver, anEvent, facts, inSeconds, ML } from '../../support/order-facts.ts'

const PARIS = 'paris:main'
const moment = fc.integer({ min: -5_000, max: 5_000 }).map(inSeconds)
const sometime = fc.option(moment, { nil: null })
const maybe = <T>(value: T): fc.Arbitrary<T | null> => fc.constantFrom(value, null)

/** Versions of one binding as the two indexes allow them: at most one in flight and one waiting behind it, the rest ended. */
function versionsOf(channel: string, bindingId: string): fc.Arbitrary<DeliveryFact[]> {
  const one = fc.record({
    ended: fc.constantFrom(...DELIVERY_STATES.filter((s) => s !== 'pending' && s !== 'ambiguous')),
    cause: fc.constantFrom(null, 'sku-unknown', 'rejected-by-target', 'attempts-exhausted', 'poison'),
    dueAt: moment,
    leaseUntil: sometime,
    tries: fc.nat({ max: 12 }),
    confirm: fc.boolean(),
  })
  const open = fc.constantFrom<DeliveryFact['state'][]>([], ['pending'], ['ambiguous'], ['ambiguous', 'pending'])
  return fc.tuple(fc.array(one, { minLength: 2, maxLength: 4 }), open).map(([rows, last]) =>
    rows
      .map(({ ended, cause, ...row }, i) => {
        const state = last[i - (rows.length - last.length)] ?? ended
        const waits = state === 'pending' || state === 'ambiguous'
        const why = waits
          ? cause === 'poison'
            ? cause
            : state === 'pending'
              ? 'queued'
              : 'ambiguous-outcome'
          : state === 'dead'
            ? (cause ?? 'rejected-by-target')
            : null
        return aDelivery({
          ...row,
          id: `${bindingId}${i}`,
          bindingId,
          channel,
          version: i + 1,
          state,
          cause: why,
          endedAt: waits ? null : inSeconds(-60),
        })
      })
      .reverse(),
  )
}

function aGate(id: string): fc.Arbitrary<ChannelFact> {
  const pause = fc.constantFrom(null, 'credentials-rejected', 'by-a-person')
  return fc
    .record({ pauseCause: pause, pausedAt: moment, circuitOpenedAt: sometime, limitedUntil: sometime, enabled: fc.boolean() })
    .map((gate) => aChannelFact(id, { ...gate, pausedAt: gate.pauseCause === null ? null : gate.pausedAt }))
}

const someFacts: fc.Arbitrary<OrderFacts> = fc
  .record({
    order: fc.record({
      confirmed: fc.boolean(),
      lifecycle: fc.constantFrom('open' as const, 'cancelled' as const),
      flags: fc.subarray(['hold_fraud', 'unknown_status'] as const),
    }),
    ml: fc.option(versionsOf(ML, '10'), { nil: [] }),
    paris: fc.option(versionsOf(PARIS, '20'), { nil: [] }),
    channels: fc.tuple(aGate('odoo'), aGate(ML), aGate(PARIS)),
    binding: fc.record({ missingSince: sometime, duplicates: fc.subarray(['7', '8']), externalId: maybe('77') }),
    beats: fc.record({ worker: sometime, subscriber: sometime }),
    events: fc.array(
      fc.record({
        state: fc.constantFrom(...INBOUND_STATES),
        dueAt: moment,
        conflict: fc.boolean(),
        tries: fc.nat({ max: 3 }),
        resolvedBy: maybe('99'),
      }),
      { maxLength: 3 },
    ),
    focus: fc.option(fc.nat({ max: 6 }), { nil: null }),
  })
  .map(({ order, ml, paris, channels, binding, beats, events, focus }) => {
    const deliveries = [...ml, ...paris]
    const asked = focus === null ? undefined : deliveries[focus]
    return facts({
      order: aSilver({ ...order, flags: [...order.flags], route: { rule: 'default', channels: [ML, PARIS], skipped: [] } }),
      deliveries,
      channels: [...channels],
      bindings: [aBinding({ ...binding, observedAt: null }), aBinding({ id: '20', channel: PARIS })],
      workers: [
        ...(beats.worker === null ? [] : [{ app: 'worker', beatAt: beats.worker }]),
        ...(beats.subscriber === null ? [] : [{ app: 'subscriber', beatAt: beats.subscriber }]),
      ],
      inbound: events.map((event, i) => anEvent({ ...event, id: String(900 + i) })),
      focus: asked ? { table: 'delivery', id: asked.id } : null,
    })
  })

const later = (one: string | null, at: string): boolean => one !== null && Date.parse(one) > Date.parse(at)
const beats = (given: OrderFacts, app: string): boolean =>
  given.workers.some((w) => w.app === app && Date.parse(given.at) - Date.parse(w.beatAt) < 30_000)

/** What must be true of the facts when a target is said to stand so; said anew, without the code that decides it. */
const MUST: Partial<Record<CauseCode, (at: { given: OrderFacts; gate: ChannelFact | undefined; rows: DeliveryFact[] }) => boolean>> = {
  delivered: ({ rows }) => rows.some((d) => d.state === 'delivered'),
  'ambiguous-outcome': ({ rows }) => rows.some((d) => d.state === 'ambiguous'),
  queued: ({ rows }) => rows.some((d) => d.state === 'pending' || d.state === 'ambiguous'),
  'backing-off': ({ rows, given }) => rows.some((d) => d.state === 'pending' && later(d.dueAt, given.at)),
  poison: ({ rows }) => rows.some((d) => d.cause === 'poison'),
  'attempts-exhausted': ({ rows }) => rows.some((d) => d.state === 'dead'),
  'sku-unknown': ({ rows }) => rows.some((d) => d.state === 'dead' && d.cause === 'sku-unknown'),
  superseded: ({ rows }) => rows.length > 0 && rows.every((d) => d.state === 'superseded'),
  'credentials-rejected': ({ gate }) => gate?.pauseCause === 'credentials-rejected',
  'channel-paused': ({ gate }) => gate?.pausedAt !== null || gate.circuitOpenedAt !== null || !gate.enabled,
  'rate-limited': ({ gate, given }) => later(gate?.limitedUntil ?? null, given.at),
  'worker-down': ({ given }) => !beats(given, 'worker'),
  'erp-not-confirmed': ({ given, rows }) =>
    rows.length === 0 && (given.order?.confirmed === false || given.order?.lifecycle === 'cancelled'),
  'delivered-then-missing': ({ given }) => given.bindings.some((b) => b.missingSince !== null),
  'duplicated-at-target': ({ given }) => given.bindings.some((b) => b.duplicates.length > 0),
}

const deadIds = (given: OrderFacts): string[] => [
  ...given.deliveries.filter((d) => d.state === 'dead').map((d) => `outbox-${d.id}`),
  ...given.inbound.filter((e) => e.state === 'dead').map((e) => `inbound-${e.id}`),
]

function rowsOf(given: OrderFacts): Record<string, string[]> {
  const ids = (rows: readonly { id: string }[]): string[] => rows.map((row) => row.id)
  return { delivery: ids(given.deliveries), inbound_event: ids(given.inbound), channel: ids(given.channels), binding: ids(given.bindings) }
}

function proves(check: (given: OrderFacts, said: Diagnosis) => void): void {
  fc.assert(
    fc.property(someFacts, (given) => check(given, diagnose(given))),
    { numRuns: 300 },
  )
}

describe('a diagnosis never contradicts the facts', () => {
  test('what it says of a target is true of that target', () => {
    proves((given, said) => {
      expect(CAUSE_CODES).toContain(said.cause)
      for (const { target, cause } of said.perTarget) {
        const rows = given.deliveries.filter((d) => d.channel === target)
        const gate = given.channels.find((c) => c.id === target)
        expect(MUST[cause]?.({ given, gate, rows }) ?? true, `${cause} at ${target}`).toBe(true)
      }
    })
  })

  test('a dead letter that it names is dead, and a send of unknown outcome is never to be replayed', () => {
    proves((given, said) => {
      if (said.deadLetter !== null) expect(deadIds(given)).toContain(said.deadLetter)
      const steps = [said.nextStep, ...said.perTarget.map((t) => t.nextStep)]
      for (const { tool } of steps) if (tool?.name === 'replay_dlq_message') expect(deadIds(given)).toContain(tool.arguments.outbox_id)
    })
  })

  test('its evidence stands in the facts', () => {
    proves((given, said) => {
      const rows = rowsOf(given)
      expect(said.evidence.length).toBeGreaterThan(0)
      for (const { table, id } of said.evidence) if (rows[table]) expect(rows[table]).toContain(id)
    })
  })

  test('what it rules out is not so', () => {
    proves((given, said) => {
      const ruled = said.ruledOut.map((r) => r.cause)
      if (ruled.includes('worker-down')) expect(beats(given, 'worker')).toBe(true)
      if (ruled.includes('erp-not-confirmed')) expect(given.order?.confirmed).toBe(true)
      if (ruled.includes('duplicated-at-target')) expect(given.bindings.every((b) => b.duplicates.length === 0)).toBe(true)
      for (const cause of ruled) expect([said.cause, ...said.perTarget.map((t) => t.cause)]).not.toContain(cause)
    })
  })
})
