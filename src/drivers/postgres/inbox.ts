import { uuidv7 } from 'uuidv7'
import type { InboundEvent, Verdict } from '../../core/inbound-event.ts'
import { type Inbox, InboxFull, type RawRequest, type Receipt } from '../../ports/inbox.ts'
import { grouped, QueueFull } from './group.ts'
import { channelsWithSuspects, claimEvents, endEvent, endPoison } from './inbox-claim.ts'
import { type ReceivedRequest, type Stored, writeRequests } from './inbox-record.ts'
import type { Pool } from './pool.ts'
import { isDataError, sqlstateOf } from './sqlstate.ts'

export interface InboxOptions {
  /** Counted fetches after which an event is given up on. */
  maxTries: number
  /** Bounds of the queue in front of the database; what comes on top throws `InboxFull`. */
  maxWaitingRows?: number
  maxWaitingBytes?: number
}

export interface PostgresInbox extends Inbox {
  /** Resolves when everything recorded so far is committed or refused: the last act before the process ends. */
  drain(): Promise<void>
}

const MAX_ROWS = 200
const MAX_BYTES = 4 * 1024 * 1024
const MAX_WAITING_ROWS = 2_000
const MAX_WAITING_BYTES = 32 * 1024 * 1024
/** What a row costs beside its body. */
const ROW_BYTES = 1_024

/** The inbox over PostgreSQL: `record` needs the role rosh_ingest, `claim` and `end` need rosh_worker. */
export function postgresInbox(pool: Pool, options: InboxOptions): PostgresInbox {
  const group = grouped<ReceivedRequest, Stored>({
    run: (batch) => writeRequests(pool, batch, options.maxTries),
    flights: 2,
    maxRows: MAX_ROWS,
    maxBytes: MAX_BYTES,
    maxWaitingRows: options.maxWaitingRows ?? MAX_WAITING_ROWS,
    maxWaitingBytes: options.maxWaitingBytes ?? MAX_WAITING_BYTES,
    sizeOf: (received) => received.request.body.byteLength + ROW_BYTES * (1 + received.events.length),
  })
  return {
    record: (request, verdict, events) => record((received) => group.add(received), { request, verdict, events }),
    claim: (channel, limit, leaseMs) => claimEvents(pool, channel, { limit, leaseMs, suspects: false }),
    async suspects() {
      await endPoison(pool)
      return channelsWithSuspects(pool)
    },
    claimSuspect: async (channel, leaseMs) => (await claimEvents(pool, channel, { limit: 1, leaseMs, suspects: true }))[0] ?? null,
    end: (claim, ending) => endEvent(pool, claim, ending),
    drain: () => group.drain(),
  }
}

interface Heard {
  request: RawRequest
  verdict: Verdict
  events: readonly InboundEvent[]
}

async function record(add: (received: ReceivedRequest) => Promise<Stored>, heard: Heard): Promise<Receipt[]> {
  // The ids are drawn once: a write that is done again after a lost COMMIT recognises its own rows by them.
  const received = { ...heard, events: heard.events.map((event) => ({ event, eventId: uuidv7() })) }
  try {
    return (await add(received)).receipts
  } catch (error) {
    if (isDataError(error)) return quarantine(add, heard, error)
    throw asFull(error)
  }
}

// What PostgreSQL cannot hold as text (a NUL in an id, an id too long for an index) is kept as raw bytes, and refused.
async function quarantine(add: (received: ReceivedRequest) => Promise<Stored>, { request }: Heard, refusal: unknown): Promise<Receipt[]> {
  const headers = { 'x-rosh-refused': `SQLSTATE ${sqlstateOf(refusal) ?? 'unknown'}` }
  const plain = { ...request, channel: null, path: printable(request.path), headers, sourceIp: null, traceparent: null }
  try {
    return (await add({ request: plain, verdict: 'malformed', events: [] })).receipts
  } catch (error) {
    throw asFull(error)
  }
}

const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200)

function asFull(error: unknown): unknown {
  if (error instanceof QueueFull) return new InboxFull('the inbox queue is full: nothing was stored', { cause: error })
  return new InboxFull('the database did not take the request: nothing was stored', { cause: error })
}
