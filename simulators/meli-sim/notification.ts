/** One notification and what became of it. */
export interface Notification {
  id: number
  topic: string
  resource: string
  user_id: number
  /** A body sent as it is instead of the one built from the fields above. */
  raw: string | null
  actions: string[] | null
  underscoreId: string | null
  received: string
  outcome: 'pending' | 'delivered' | 'lost' | 'dropped'
  attempts: number
  lastResponse: NotificationResponse | null
  /** When it was given up on, in milliseconds since the epoch. */
  settledAtMs: number | null
  sent: string | null
  url: string | null
}

export interface NotificationResponse {
  req_time: number
  http_code: number | null
  body: string
  headers: Record<string, string>
}

const RETENTION_MS = 2 * 86_400_000

/** The body as the vendor posts it, unsigned. `user_id` and `application_id` are numbers. */
export function notificationBody(notification: Notification, attempt: number, sent: string, applicationId: string): string {
  if (notification.raw !== null) return notification.raw
  const { underscoreId, resource, topic, user_id, received, actions } = notification
  const fields = {
    ...(underscoreId === null ? {} : { _id: underscoreId }),
    resource,
    user_id,
    topic,
    ...(actions === null ? {} : { actions }),
    application_id: Number(applicationId),
    attempts: attempt,
    sent,
    received,
  }
  return JSON.stringify(fields)
}

/** Rows of `GET /missed_feeds`: what was given up on in the last two days, newest first. */
export function missedFeed(all: Iterable<Notification>, topic: string | null, nowMs: number): Notification[] {
  const rows = [...all].filter(
    (one) =>
      one.outcome === 'lost' &&
      one.settledAtMs !== null &&
      nowMs - one.settledAtMs <= RETENTION_MS &&
      (topic === null || one.topic === topic),
  )
  return rows.sort((a, b) => (b.settledAtMs ?? 0) - (a.settledAtMs ?? 0) || b.id - a.id)
}

/** One row, key for key. The inner `data` is a JSON string that disagrees with the row (attempts, type of `user_id`), as published. */
export function missedFeedRow(notification: Notification, applicationId: string): Record<string, unknown> {
  const { resource, topic, user_id, received } = notification
  const sent = notification.sent ?? received
  const inner = { resource, user_id: String(user_id), topic, application_id: Number(applicationId), attempts: 1, sent, received }
  const data = notification.raw ?? JSON.stringify(inner)
  return {
    _id: notification.underscoreId ?? `5da8${String(notification.id).padStart(20, '0')}`,
    resource,
    user_id,
    topic,
    application_id: Number(applicationId),
    attempts: notification.attempts,
    sent,
    received,
    request: {
      url: notification.url ?? '',
      headers: { accept: 'application/json', 'content-type': 'application/json', 'content-length': Buffer.byteLength(data) },
      data,
    },
    response: notification.lastResponse ?? { req_time: 0, http_code: null, body: '', headers: {} },
  }
}
