import { createHash } from 'node:crypto'
import { z } from 'zod'
import { canonicalJson } from '../../core/canonical-json.ts'
import type { InboundEvent, InboundIgnore } from '../../core/inbound-event.ts'
import { Id, parseLossless } from './lossless-json.ts'
import { normalised, pointerOf, type Pointer } from './resource.ts'

export interface ConnectedAccount {
  channel: string
  /** Decimal text. */
  userId: string
  /** Application that the account is connected through: our client id. */
  appId: string
}

export type NotificationReading = { kind: 'event'; event: InboundEvent } | { kind: 'malformed'; reason: string }

/**
 * What is read of a notification. `_id` is missing in most of the vendor's samples, `id` takes its place in some, `user_id` comes as a
 * number or as text, `received` also misspelt, `actions` is free-form.
 */
const Notification = z.looseObject({
  topic: z.string().min(1).max(100),
  resource: z.string().min(1).max(300),
  user_id: Id,
  application_id: Id,
  _id: Id.nullish(),
  id: Id.nullish(),
  received: z.string().max(80).nullish(),
  recieved: z.string().max(80).nullish(),
})
type Notification = z.infer<typeof Notification>

/** Reads the body that was posted. Total: any bytes give an event or a reason. */
export function notificationEvent(body: Uint8Array, accounts: readonly ConnectedAccount[]): NotificationReading {
  try {
    const value = parseLossless(new TextDecoder('utf-8', { fatal: true }).decode(body))
    return eventOf(value, accounts, () => createHash('sha256').update(body).digest('hex'))
  } catch (error) {
    // A RangeError is a body nested deeper than the stack goes; whatever else is thrown for bytes is no JSON or no UTF-8.
    if (error instanceof RangeError) return { kind: 'malformed', reason: 'the body is nested too deep' }
    if (error instanceof SyntaxError || error instanceof TypeError) return { kind: 'malformed', reason: 'the body is not JSON in UTF-8' }
    throw error
  }
}

/** Reads a row of the missed feed: the outer record counts, the inner `data` text only fills in what the row leaves out. */
export function missedEvent(row: unknown, accounts: readonly ConnectedAccount[]): NotificationReading {
  const outer = z.looseObject({ request: z.looseObject({ data: z.unknown() }).nullish() }).safeParse(row)
  if (!outer.success) return { kind: 'malformed', reason: 'the row is not an object' }
  const { request, response: _response, ...record } = outer.data
  const actions = innerActions(request?.data)
  const value = record.actions === undefined && actions !== undefined ? { ...record, actions } : record
  return eventOf(value, accounts, () => createHash('sha256').update(JSON.stringify(value)).digest('hex'))
}

function innerActions(data: unknown): unknown {
  if (typeof data !== 'string') return undefined
  try {
    const inner = z.looseObject({ actions: z.unknown() }).safeParse(parseLossless(data))
    return inner.success ? inner.data.actions : undefined
  } catch {
    return undefined
  }
}

function eventOf(value: unknown, accounts: readonly ConnectedAccount[], digest: () => string): NotificationReading {
  const parsed = Notification.safeParse(value)
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join('.') || '(body)'
    return { kind: 'malformed', reason: `field ${field} is missing or wrong` }
  }
  const notification = parsed.data
  const account = accounts.find((one) => one.userId === notification.user_id && one.appId === notification.application_id)
  const channel = account?.channel ?? accounts[0]?.channel
  if (channel === undefined) return { kind: 'malformed', reason: 'no account is connected' }
  const pointer = pointerOf(notification.topic, notification.resource)
  if (account && pointer === null) return { kind: 'malformed', reason: `field resource is none that topic ${notification.topic} may carry` }
  const resource = printable(pointer?.resource ?? normalised(notification.resource))
  const sourceEventId = notification._id ?? notification.id ?? null
  return {
    kind: 'event',
    event: {
      channel,
      topic: printable(notification.topic),
      resource,
      sourceEventId: sourceEventId === null ? null : printable(sourceEventId),
      dedupeKey: dedupeKeyOf(notification, { channel, resource, digest }),
      comparable: comparableOf(notification),
      orderKey: pointer?.kind === 'order' ? pointer.id : null,
      ignore: ignoreOf(account !== undefined, pointer),
    },
  }
}

function ignoreOf(isOurs: boolean, pointer: Pointer | null | undefined): InboundIgnore | null {
  if (!isOurs) return 'foreign-account'
  // Stock topics only tell of drift, which the reconciler finds by itself.
  return !pointer || pointer.kind === 'stock' ? 'irrelevant-topic' : null
}

// Never `attempts` or `sent`. Topic and resource belong in it: samples of different topics share one `_id`.
function dedupeKeyOf(notification: Notification, at: { channel: string; resource: string; digest: () => string }): string {
  const { application_id, user_id, topic, _id, id, received, recieved } = notification
  const last = _id ?? id ?? received ?? recieved ?? `sha256:${at.digest()}`
  return JSON.stringify([at.channel, application_id, user_id, topic, at.resource, last])
}

const FROM_TRY_TO_TRY = new Set(['attempts', 'sent', 'received', 'recieved'])

function comparableOf(notification: Notification): string {
  const kept = Object.entries(notification).filter(([name]) => !FROM_TRY_TO_TRY.has(name))
  return canonicalJson({ ...Object.fromEntries(kept), resource: normalised(notification.resource) })
}

// Text columns take neither NUL nor half a surrogate pair, and what is only kept for people needs no control characters.
function printable(text: string): string {
  return text.toWellFormed().replaceAll(/\p{Cc}/gu, '\u{fffd}')
}
