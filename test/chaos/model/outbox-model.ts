import type { DeliveryState, Operation } from '../../../src/core/delivery.ts'
import type { DesiredOrder } from '../../../src/core/desired.ts'
import type { AttemptEnd, Claim, Finish, Intent, Outbox } from '../../../src/ports/outbox.ts'
import { aChannel } from '../../support/flow-fixtures.ts'

export const CHANNEL = aChannel('mercadolibre:1001')
export const REFERENCE = 'odoo-42'
const MAX_TRIES = 3

export interface VersionRow {
  version: number
  desired: DesiredOrder
  state: DeliveryState
  reason: string | null
  tries: number
  dueAt: number
  lease: number | null
  leaseUntil: number
  countedLease: number | null
}

/** The steps that the diagram in core/delivery.ts draws; whatever else a row does is a mistake. */
const LEGAL: Record<DeliveryState, readonly DeliveryState[]> = {
  pending: ['pending', 'ambiguous', 'delivered', 'superseded', 'dead'],
  ambiguous: ['ambiguous', 'pending', 'delivered', 'superseded', 'dead'],
  delivered: [],
  superseded: [],
  dead: ['pending'],
}

/** Rules that can be left out, to prove that their lack is seen. */
export type Rule = 'settle window' | 'fence' | 'stopwatch'

/** The versions of one binding as the rules of the outbox keep them: what the flow is given instead of PostgreSQL, all in one small state. */
export class OutboxModel {
  readonly rows: VersionRow[] = []
  readonly attempts = new Map<string, AttemptEnd['outcome'] | null>()
  nowMs = 0
  externalId: string | null = null
  firstSentAt: string | null = null
  readonly without: Rule | null
  #lease = 0

  constructor(without: Rule | null = null) {
    this.without = without
  }

  plan(desired: DesiredOrder): void {
    const waiting = this.rows.find((row) => row.state === 'pending')
    if (waiting) this.#move(waiting, 'superseded', { lease: null })
    const dueAt = this.nowMs
    const version = this.rows.length + 1
    this.rows.push({ version, desired, state: 'pending', reason: null, tries: 0, dueAt, lease: null, leaseUntil: 0, countedLease: null })
  }

  claim(): Claim | null {
    const inFlight = this.rows.some((row) => row.state === 'ambiguous')
    const row = this.rows.find(
      (one) => (one.state === 'ambiguous' || (one.state === 'pending' && !inFlight)) && one.dueAt <= this.nowMs && !this.#held(one),
    )
    if (!row || (row.state !== 'pending' && row.state !== 'ambiguous')) return null
    this.#lease += 1
    Object.assign(row, { lease: this.#lease, leaseUntil: this.nowMs + CHANNEL.timing.leaseMs })
    const { version, desired, tries } = row
    const { externalId, firstSentAt } = this
    const wanted = { channel: CHANNEL.id, reference: REFERENCE, generation: 1, version, externalId, desired, firstSentAt, personal: null }
    const ids = { deliveryId: String(version), bindingId: '1', lease: String(this.#lease) }
    return { ...ids, claimedAs: row.state, tries, maxTries: MAX_TRIES, probe: false, wanted, traceparent: null }
  }

  /** A person puts the newest version back, when it is dead and nothing waits. */
  replay(): void {
    const newest = this.rows.at(-1)
    if (newest?.state !== 'dead' || this.rows.some((row) => row.state === 'ambiguous')) return
    this.#move(newest, 'pending', { tries: 0, dueAt: this.nowMs, lease: null, countedLease: null, reason: null })
  }

  readonly outbox: Outbox = {
    claim: () => Promise.resolve([]),
    suspects: () => Promise.resolve([]),
    claimSuspect: () => Promise.resolve(null),
    intend: (claim, operation) => Promise.resolve(this.#intend(claim, operation)),
    intendLookUp: (claim) => Promise.resolve(this.#current(claim) ? this.#begin(claim, 'look-up') : null),
    endLookUp: (_claim, end) => Promise.resolve(this.#end(end)),
    bind: (_claim, shown) => Promise.resolve(void (this.externalId = shown.externalId)),
    finish: (claim, finish) => Promise.resolve(this.#finish(claim, finish)),
  }

  #intend(claim: Claim, operation: Operation): Intent {
    const row = this.#current(claim)
    if (row?.state !== claim.claimedAs) return { kind: 'fenced' }
    if (row.state === 'ambiguous' && this.rows.some((one) => one.state === 'pending')) {
      this.#move(row, 'superseded', { lease: null })
      return { kind: 'superseded' }
    }
    const { marginMs, timeoutMs, settleMs, leaseMs } = CHANNEL.timing
    const tries = row.tries + (row.countedLease === row.lease ? 0 : 1)
    const settledMs = this.without === 'settle window' ? timeoutMs : marginMs + timeoutMs + settleMs
    const times = { dueAt: this.nowMs + settledMs, leaseUntil: this.nowMs + leaseMs }
    this.#move(row, 'ambiguous', { ...times, tries, countedLease: row.lease })
    this.firstSentAt ??= new Date(this.nowMs).toISOString()
    const requestId = this.#begin(claim, operation)
    return { kind: 'intended', requestId, fetchNo: Number(requestId) }
  }

  #finish(claim: Claim, finish: Finish): 'finished' | 'fenced' {
    if (finish.attempt) this.#end(finish.attempt)
    const row = this.#current(claim)
    if (!row) return 'fenced'
    const { settlement } = finish
    const again = settlement.state === 'pending' || settlement.state === 'continue'
    const newer = this.rows.some((one) => one !== row && one.state === 'pending')
    const state = settlement.state === 'continue' ? 'pending' : settlement.state
    const delayMs = 'delayMs' in settlement ? settlement.delayMs : 0
    const uncount = settlement.state === 'pending' && !settlement.counted && finish.onlySend && row.countedLease === row.lease
    const settleMs = this.without === 'settle window' ? 0 : CHANNEL.timing.settleMs
    const dueAt = settlement.state === 'ambiguous' ? Math.max(row.dueAt, this.nowMs + settleMs, this.nowMs + delayMs) : this.nowMs + delayMs
    this.#move(row, again && newer ? 'superseded' : state, {
      dueAt,
      tries: row.tries - (uncount ? 1 : 0),
      reason: 'reason' in settlement ? settlement.reason : null,
      ...(settlement.state === 'continue' && !newer ? { leaseUntil: this.nowMs + CHANNEL.timing.leaseMs } : { lease: null }),
    })
    if (finish.externalId !== null) this.externalId = finish.externalId
    return 'finished'
  }

  #begin(claim: Claim, what: string): string {
    const id = `${what} ${claim.lease} ${this.attempts.size}`
    this.attempts.set(id, null)
    return id
  }

  #end({ requestId, outcome }: AttemptEnd): void {
    if (this.attempts.get(requestId) === null) this.attempts.set(requestId, outcome)
  }

  #held = (row: VersionRow): boolean => row.lease !== null && row.leaseUntil > this.nowMs
  #current = (claim: Claim): VersionRow | undefined =>
    this.rows.find(
      (row) =>
        String(row.version) === claim.deliveryId && (String(row.lease) === claim.lease || (this.without === 'fence' && !isEnded(row))),
    )

  #move(row: VersionRow, to: DeliveryState, change: Partial<VersionRow>): void {
    if (!LEGAL[row.state].includes(to)) throw new Error(`version ${row.version} went from ${row.state} to ${to}`)
    Object.assign(row, change, { state: to })
  }
}

const isEnded = (row: VersionRow): boolean => row.state === 'delivered' || row.state === 'superseded'
