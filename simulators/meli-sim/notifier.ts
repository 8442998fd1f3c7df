import { createHash, createHmac } from 'node:crypto'
import type { Faults } from '../faults.ts'
import type { Account } from './account.ts'
import { notificationBody } from './notification.ts'
import type { Notification, NotificationResponse } from './notification.ts'
import type { Writer } from './sim.ts'
import type { Settings } from './settings.ts'
import type { World } from './world.ts'
import { nextId } from './world.ts'

export interface Callback {
  url: string
  /** Signing relay: adds `X-Signature`, hex HMAC-SHA256 of the raw body. The vendor itself signs nothing. */
  secret: string | null
  /** Topics the app subscribed to; null = all. */
  topics: string[] | null
}

export interface Notifier {
  /** Null until the app has a callback URL: then nothing is sent and nothing is missed. */
  callback(): Callback | null
  setCallback(callback: Callback | null): void
  notify(what: NewNotification): Notification | null
  /** Takes up what a stopped simulator left pending. */
  resume(): void
  pending(): number
  close(): void
}

interface NewNotification {
  topic: string
  resource: string
  userId: number
  actions?: string[]
  /** A body to send as it is. */
  raw?: string
}

interface NotifierParts {
  world: World
  ledger: Writer
  faults: Faults
  applicationId: string
  settings: () => Settings
  nowMs: () => number
  random: () => number
}

interface State {
  parts: NotifierParts
  timers: Set<NodeJS.Timeout>
  inFlight: Set<AbortController>
  closed: boolean
}

export function createNotifier(parts: NotifierParts): Notifier {
  const state: State = { parts, timers: new Set(), inFlight: new Set(), closed: false }
  return {
    callback: () => parts.world.callback,
    setCallback(next) {
      parts.world.callback = next
      parts.ledger.write({ kind: 'state', id: 'callback', state: next })
    },
    notify: (what) => enqueue(state, what),
    resume() {
      for (const one of parts.world.notifications.values()) if (one.outcome === 'pending') later(state, 0, () => attempt(state, one))
    },
    pending: () => [...parts.world.notifications.values()].filter((one) => one.outcome === 'pending').length,
    close() {
      state.closed = true
      for (const timer of state.timers) clearTimeout(timer)
      for (const controller of state.inFlight) controller.abort()
    },
  }
}

/** Only the sellers that authorized the app are notified about. */
export function isConnected(account: Account | undefined): boolean {
  return account?.grant !== null && account?.grant !== undefined
}

function enqueue(state: State, what: NewNotification): Notification | null {
  const { parts } = state
  const { world } = parts
  const { callback } = world
  if (callback === null || (callback.topics !== null && !callback.topics.includes(what.topic))) return null
  if (what.raw === undefined && !isConnected(world.accounts.get(what.userId))) return null
  const settings = parts.settings()
  const id = nextId(world, 'notification')
  const hasId = settings.notificationIds === 'always' || (settings.notificationIds === 'alternate' && id % 2 === 0)
  const notification: Notification = {
    id,
    topic: what.topic,
    resource: what.resource,
    user_id: what.userId,
    raw: what.raw ?? null,
    actions: what.actions && settings.notificationActions ? what.actions : null,
    underscoreId: hasId ? createHash('sha256').update(`notification ${id}`).digest('hex').slice(0, 32) : null,
    received: new Date(parts.nowMs()).toISOString(),
    outcome: 'pending',
    attempts: 0,
    lastResponse: null,
    settledAtMs: null,
    sent: null,
    url: callback.url,
  }
  save(state, notification)
  dispatch(state, notification, settings)
  return notification
}

/** Decides what happens to a new notification: dropped, lost, or sent one or several times, now or later. */
function dispatch(state: State, notification: Notification, settings: Settings): void {
  const { parts } = state
  if (settings.disabledTopics.includes(notification.topic)) return settle(state, notification, 'dropped')
  const fault = parts.faults.forWebhook({
    method: 'POST',
    path: pathOf(notification.url ?? ''),
    body: notificationBody(notification, 1, notification.received, parts.applicationId),
  })
  if (fault?.fault === 'lost-webhook' || parts.random() < settings.lostNotifications) {
    return settle(state, notification, settings.missedFeedListsLost ? 'lost' : 'dropped')
  }
  const spread = settings.permuteWindowMs > 0 ? Math.floor(parts.random() * settings.permuteWindowMs) : 0
  const delayMs = settings.notificationDelayMs + spread + (fault?.fault === 'delay-webhook' ? (fault.ms ?? 0) : 0)
  const copies = settings.duplicateNotifications + (fault?.fault === 'duplicate-webhook' ? 1 : 0)
  later(state, delayMs, () => attempt(state, notification))
  for (let copy = 1; copy < copies; copy += 1) later(state, delayMs, async () => void (await post(state, notification, 1)))
}

async function attempt(state: State, notification: Notification): Promise<void> {
  const settings = state.parts.settings()
  const number = notification.attempts + 1
  const outcome = await post(state, notification, number)
  if (state.closed) return
  const tried = { ...notification, attempts: number, sent: outcome.sent, lastResponse: outcome.response }
  if (outcome.acknowledged) return settle(state, tried, 'delivered')
  const pauseMs = settings.retryScheduleMs[number - 1]
  if (pauseMs === undefined) return settle(state, tried, 'lost')
  save(state, tried)
  later(state, pauseMs, () => attempt(state, tried))
}

interface Posted {
  acknowledged: boolean
  sent: string
  response: NotificationResponse
}

/** One attempt. Only HTTP 200 within the limit counts: 201, 202 and a late 200 are failures. */
async function post(state: State, notification: Notification, number: number): Promise<Posted> {
  const { parts } = state
  const url = notification.url ?? ''
  const sent = new Date(parts.nowMs()).toISOString()
  const body = notificationBody(notification, number, sent, parts.applicationId)
  const secret = parts.world.callback?.secret ?? null
  const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'application/json' }
  if (secret !== null) headers['x-signature'] = createHmac('sha256', secret).update(body).digest('hex')
  const limitMs = parts.settings().ackTimeoutMs
  const startedMs = performance.now()
  const reply = await send(state, { url, body, headers, limitMs })
  const req_time = Math.round(performance.now() - startedMs)
  if (!state.closed) {
    const { status, error } = reply
    parts.ledger.write({
      kind: 'webhook',
      url,
      eventId: notification.underscoreId ?? String(notification.id),
      bodySha256: createHash('sha256').update(body).digest('hex'),
      attempt: number,
      status,
      ...(error === null ? {} : { error }),
    })
  }
  const response = { req_time, http_code: reply.status, body: reply.text, headers: reply.headers }
  return { acknowledged: reply.status === 200 && reply.error === null, sent, response }
}

interface Reply {
  status: number | null
  text: string
  headers: Record<string, string>
  error: string | null
}

async function send(
  state: State,
  { url, body, headers, limitMs }: { url: string; body: string; headers: Record<string, string>; limitMs: number },
): Promise<Reply> {
  const controller = new AbortController()
  state.inFlight.add(controller)
  const timer = setTimeout(() => controller.abort(), limitMs)
  try {
    const response = await fetch(url, { method: 'POST', headers, body, signal: controller.signal, redirect: 'manual' })
    const text = (await response.text()).slice(0, 500)
    return { status: response.status, text, headers: Object.fromEntries(response.headers), error: null }
  } catch (error) {
    const reason = controller.signal.aborted
      ? `no answer within ${limitMs} ms`
      : error instanceof Error
        ? String(error.cause ?? error.message)
        : ''
    return { status: null, text: '', headers: {}, error: reason || 'failed' }
  } finally {
    clearTimeout(timer)
    state.inFlight.delete(controller)
  }
}

function settle(state: State, notification: Notification, outcome: 'delivered' | 'lost' | 'dropped'): void {
  save(state, { ...notification, outcome, settledAtMs: state.parts.nowMs() })
}

function save(state: State, notification: Notification): void {
  state.parts.world.notifications.set(notification.id, notification)
  state.parts.ledger.write({ kind: 'state', id: `notification:${notification.id}`, state: notification })
}

function later(state: State, delayMs: number, act: () => Promise<void>): void {
  if (state.closed) return
  const timer = setTimeout(() => {
    state.timers.delete(timer)
    act().catch(() => {})
  }, delayMs)
  state.timers.add(timer)
}

function pathOf(url: string): string {
  return URL.canParse(url) ? new URL(url).pathname : url
}
