import { type Breach, breach } from '../breach.ts'
import type { AttemptRow } from '../hub-tables.ts'
import type { LedgerLine } from '../ledger-file.ts'
import { attemptText, type World } from '../world.ts'

type RequestLine = Extract<LedgerLine, { kind: 'request' }>

/** I1, I3, I5 and I6: every webhook, order and request that a ledger shows is accounted for in the base tables. */
export function requestsAreAccountedFor(world: World): Breach[] {
  return [
    ...acknowledgedIsStored(world),
    ...acceptedIsAccountedFor(world),
    ...everyErpOrderIsKnown(world),
    ...everyRequestIsAnAttempt(world),
    ...everyAttemptEnds(world),
    ...replaysChangeNothing(world),
  ]
}

/** I1: what was answered with 2xx is stored, whatever its verdict. */
function acknowledgedIsStored({ lines, hub, quietSince }: World): Breach[] {
  const stored = new Set(hub.request.map((row) => row.digest))
  return [...lines.meli, ...lines.paris, ...lines.odoo].flatMap((line) => {
    if (
      line.kind !== 'webhook' ||
      line.status === null ||
      line.status < 200 ||
      line.status > 299 ||
      stored.has(line.bodySha256) ||
      isYoung(line, quietSince)
    )
      return []
    return [
      breach('I1', '-', `a webhook was answered ${line.status} and no inbound_request holds its bytes`, {
        field: 'inbound_request',
        at: Date.parse(line.at),
        ledger: `webhook line ${line.seq}, body ${line.bodySha256.slice(0, 12)}`,
      }),
    ]
  })
}

/** Written after the tables were read, perhaps: not judged yet. */
const isYoung = (line: LedgerLine, quietSince: number): boolean => Date.parse(line.at) > quietSince

/** I1: an accepted request holds its events, and none of them waits in limbo. */
function acceptedIsAccountedFor({ hub, nameOf }: World): Breach[] {
  return [
    ...hub.request
      .filter((row) => row.verdict === 'accepted' && row.events === 0)
      .map((row) =>
        breach('I1', '-', `inbound_request ${row.id} was accepted and has no inbound_event`, {
          field: 'inbound_event',
          at: row.received_ms,
        }),
      ),
    ...hub.event
      .filter((row) => row.overdue)
      .map((row) =>
        breach('I1', row.order_key ?? row.resource, `inbound_event ${row.id} (${row.resource}) is due and nobody applies it`, {
          field: 'inbound_event.state',
          at: row.received_ms,
        }),
      ),
    ...hub.delivery
      .filter((row) => row.overdue && !row.leased && !isHeld(row.channel, hub.channel))
      .map((row) =>
        breach('I3', nameOfDelivery(row, nameOf), `delivery ${row.id} is ${row.state} at ${row.channel}, due, and nobody takes it`, {
          field: 'delivery.state',
          orderId: row.order_id,
        }),
      ),
  ]
}

function nameOfDelivery({ id, order_id }: { id: string; order_id: string | null }, nameOf: World['nameOf']): string {
  return order_id === null ? `delivery ${id}` : nameOf(order_id)
}

// An open circuit, a pause and an empty bucket hold rows back on purpose.
function isHeld(channel: string, channels: World['hub']['channel']): boolean {
  return channels.some((row) => row.id === channel && (row.paused || row.circuit || row.limited))
}

/** I3: no confirmed ERP order that is routed somewhere is silent, and what was given up on says why. */
function everyErpOrderIsKnown(world: World): Breach[] {
  const { erp, hub, routing, quietSince } = world
  const quarantined = new Set(hub.quarantine.filter((row) => row.open).map((row) => row.erp_id))
  const silent = erp.filter((order) => {
    const view = order.confirmedViews.at(-1)
    const inScope =
      order.bornAt === null && !order.deleted && view !== undefined && order.state !== 'cancel' && routing.route(view).length > 0
    return inScope && order.changedAt <= quietSince && !world.silverOf('odoo', order.id) && !quarantined.has(order.id)
  })
  return [
    ...silent.map((order) =>
      breach('I3', order.clientOrderRef ?? order.name, 'confirmed in the ERP, and the hub neither holds nor quarantines it', {
        field: 'silver_order',
        ledger: `odoo:${order.seqs.join(',')}`,
      }),
    ),
    ...hub.delivery
      .filter((row) => row.state === 'dead' && row.cause === null)
      .map((row) =>
        breach('I3', nameOfDelivery(row, world.nameOf), `delivery ${row.id} is dead without a cause`, {
          field: 'delivery.cause',
          orderId: row.order_id,
        }),
      ),
    ...hub.quarantine
      .filter((row) => row.open && row.cause === '')
      .map((row) => breach('I3', row.erp_name, 'quarantined without a cause', { field: 'erp_quarantine.cause' })),
    ...hub.event
      .filter((row) => row.state === 'dead' && row.cause === null)
      .map((row) =>
        breach('I3', row.order_key ?? row.resource, `inbound_event ${row.id} is dead without a cause`, { field: 'inbound_event.cause' }),
      ),
    ...hub.silver
      .filter((row) => row.observations === 0)
      .map((row) => breach('I3', world.nameOf(row.id), 'a silver order without an observation of its origin', { field: 'observation' })),
  ]
}

/** I5: a request that serves a delivery or an event has one attempt; reads that serve neither carry no request id. */
function everyRequestIsAnAttempt(world: World): Breach[] {
  const { lines, hub, quietSince } = world
  const attempts = new Map(hub.attempt.map((row) => [row.id, row]))
  const seen = new Map<string, { at: number; text: string }[]>()
  const breaches: Breach[] = []
  for (const [system, its] of Object.entries(lines)) {
    for (const line of its) {
      if (line.kind !== 'request' || line.path.startsWith('/admin') || isStray(line)) continue
      if (line.requestId === null) {
        if (isWrite(system, line)) breaches.push(ofRequest(system, line, 'a write without a request id'))
        continue
      }
      if (!attempts.has(line.requestId) && !isYoung(line, quietSince))
        breaches.push(ofRequest(system, line, `request ${line.requestId} has no attempt`))
      const text = `${system}:${line.seq} ${line.method} ${line.path} ${line.decision}`
      seen.set(line.requestId, [...(seen.get(line.requestId) ?? []), { at: Date.parse(line.at), text }])
    }
  }
  // The newest is the one that the attempt is of; each before it has its own instant, and none that tells of it.
  for (const [id, its] of seen)
    for (const { at } of its.toSorted((a, b) => a.at - b.at).slice(0, -1))
      breaches.push(
        breach('I5', orderOf(attempts.get(id), world), `attempt ${id} stands for ${its.length} requests`, {
          field: 'attempt',
          at,
          ledger: its.map(({ text }) => text).join('; '),
        }),
      )
  for (const row of hub.attempt)
    if ((row.outcome === 'ok' || row.outcome === 'rejected') && !seen.has(row.id))
      breaches.push(
        breach('I5', orderOf(row, world), `attempt ${row.id} ended ${row.outcome} and ${row.channel} saw no such request`, {
          field: 'attempt',
          at: row.started_ms,
          attempts: [attemptText(row)],
        }),
      )
  return breaches
}

/**
 * A notification to a receiver that is gone, which the system that has its port now refused or left unanswered: of another run, since no hub
 * sends to its own doors. `/webhooks/register` is no door, and what was taken is judged.
 */
function isStray({ requestId, path, status }: RequestLine): boolean {
  return requestId === null && (status === null || status >= 400) && /^\/webhooks\/(mercadolibre|paris|odoo)([/?]|$)/.test(path)
}

function ofRequest(system: string, line: RequestLine, message: string): Breach {
  return breach('I5', '-', `${message}: ${line.method} ${line.path.split('?')[0]} at ${system}`, {
    field: 'attempt',
    at: Date.parse(line.at),
    ledger: `${system}:${line.seq}`,
  })
}

const WRITES = /^(load|create|write|unlink|copy|message_post|action_|button_)/

function isWrite(system: string, line: RequestLine): boolean {
  if (system !== 'odoo') return line.method !== 'GET' && !/^\/(oauth\/|webhooks\/register)/.test(line.path)
  const method = line.path.startsWith('/json/2/') ? line.path.split('/').at(-1) : callOf(line.detail)?.split('.').at(-1)
  return WRITES.test(method ?? '')
}

function callOf(detail: unknown): string | undefined {
  if (typeof detail !== 'object' || detail === null) return undefined
  if ('call' in detail && typeof detail.call === 'string') return detail.call
  return 'detail' in detail ? callOf(detail.detail) : undefined
}

/** I5: nothing that ended leaves an attempt open. */
function everyAttemptEnds(world: World): Breach[] {
  const { hub } = world
  const ended = new Set(hub.delivery.filter((row) => !['pending', 'ambiguous'].includes(row.state)).map((row) => row.id))
  const closed = new Set(hub.event.filter((row) => row.state !== 'pending').map((row) => row.id))
  return hub.attempt
    .filter((row) => row.outcome === null && (ended.has(row.delivery_id ?? '') || closed.has(row.inbound_event_id ?? '')))
    .map((row) =>
      breach('I5', orderOf(row, world), `attempt ${row.id} never ended, though what it served did`, {
        field: 'attempt.outcome',
        at: row.started_ms,
        attempts: [attemptText(row)],
      }),
    )
}

/**
 * I6: however often an order was put back, its target made it once. By attempts (no binding and generation was created twice with an answer that
 * said so) and by ledgers (after the second replay nothing was made that was there before it).
 */
function replaysChangeNothing(world: World): Breach[] {
  const { hub, lines, nameOf } = world
  const deliveries = new Map(hub.delivery.map((row) => [row.id, row]))
  const partners = partnerRequests(lines.odoo)
  const creates = hub.attempt.filter(
    (row) => row.purpose === 'send' && row.operation === 'create' && row.outcome === 'ok' && !partners.has(row.id),
  )
  const groups = Map.groupBy(creates, (row) => {
    const delivery = deliveries.get(row.delivery_id ?? '')
    return `${delivery?.binding_id} generation ${delivery?.generation}`
  })
  const byAttempts = [...groups].flatMap(([binding, rows]) =>
    rows.length > 1
      ? [
          breach('I6', orderOf(rows[0], world), `binding ${binding} was created ${rows.length} times`, {
            field: 'attempt',
            attempts: rows.map(attemptText),
          }),
        ]
      : [],
  )
  const made = [...lines.odoo, ...lines.meli, ...lines.paris].filter(
    (line) => line.kind === 'order' && line.act === 'created' && line.by === 'client',
  )
  const replayed = hub.binding.filter((row) => hub.delivery.some((one) => one.binding_id === row.id && one.replays > 0))
  const byLedgers = replayed.flatMap((row) => {
    const own = made.filter((line) => line.kind === 'order' && line.reference === row.reference)
    if (own.length < 2 || row.order_id === null) return []
    const message = `${row.reference} was put back and stands ${own.length} times in the ledger of ${row.channel}`
    return [
      breach('I6', nameOf(row.order_id), message, {
        field: 'order',
        orderId: row.order_id,
        ledger: `${row.channel}:${own.map((line) => line.seq).join(',')}`,
      }),
    ]
  })
  return [...byAttempts, ...byLedgers]
}

// The first create on an Odoo makes the generic customer of the marketplace, in a request of its own, before the order.
function partnerRequests(lines: readonly LedgerLine[]): ReadonlySet<string> {
  const ids = lines.flatMap((line) =>
    line.kind === 'request' && line.requestId !== null && callOf(line.detail) === 'res.partner.load' ? [line.requestId] : [],
  )
  return new Set(ids)
}

function orderOf(row: AttemptRow | undefined, { hub, nameOf }: World): string {
  const orderId =
    hub.delivery.find((delivery) => delivery.id === row?.delivery_id)?.order_id ??
    hub.event.find((event) => event.id === row?.inbound_event_id)?.order_id
  return orderId ? nameOf(orderId) : '-'
}
