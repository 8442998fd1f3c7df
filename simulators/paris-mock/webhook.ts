import { createHmac } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Faults } from '../faults.ts'
import type { Ledger } from '../ledger.ts'
import { sha256 } from '../server.ts'
import type { WebhookSettings } from './settings.ts'

export interface ParisEvent {
  event_id: string
  external_ref: string | null
  order_id: string
  source: 'paris'
  status: string
}

/** What the answer of `emit-webhook` says of one posting. */
export type WebhookDelivery = { url: string; status_code: number } | { url: string; error: string }

export interface Posting {
  event: ParisEvent
  urls: readonly string[]
  /** Signs with this instead of the configured secrets. */
  signWith?: string | undefined
  /** Added to the clock for `webhook-timestamp`, seconds. */
  timestampOffsetSeconds?: number | undefined
}

/** Lower-case hex HMAC-SHA256 of the raw body, as `X-Paris-Signature` carries it. */
export function parisSignature(secret: string, body: string): string {
  return createHmac('sha256', secret).update(body).digest('hex')
}

/** Standard Webhooks 1.0.0: `v1,<base64 HMAC-SHA256 of id.timestamp.body>` for each secret, separated by spaces. */
export function standardSignature(secrets: readonly string[], message: { id: string; timestamp: number; body: string }): string {
  const content = `${message.id}.${message.timestamp}.${message.body}`
  return secrets
    .map((secret) => Buffer.from(secret.replace(/^whsec_/, ''), 'base64'))
    .map((key) => `v1,${createHmac('sha256', key).update(content).digest('base64')}`)
    .join(' ')
}

export interface WebhookSender {
  /** Posts the event to every URL at the same time and waits for the last try of each. */
  post(posting: Posting): Promise<WebhookDelivery[]>
}

export function createWebhookSender(parts: {
  ledger: Ledger
  faults: Faults
  closing: AbortSignal
  settings: () => WebhookSettings
}): WebhookSender {
  const { ledger, faults, closing, settings } = parts

  async function postTo(url: string, posting: Posting): Promise<WebhookDelivery[]> {
    const body = JSON.stringify(posting.event)
    const fault = faults.forWebhook({ method: 'POST', path: new URL(url).pathname, body })
    switch (fault?.fault) {
      case 'lost-webhook':
        await record({ url, body, posting, attempt: 1 }, { error: 'lost by a fault rule' })
        return [{ url, error: 'lost by a fault rule' }]
      case 'duplicate-webhook':
        return [await tryAll(url, posting), await tryAll(url, posting)]
      case 'delay-webhook':
        later(fault.ms ?? 0, () => tryAll(url, posting))
        return [{ url, error: `delayed ${fault.ms ?? 0} ms by a fault rule` }]
      default:
        return [await tryAll(url, posting)]
    }
  }

  async function tryAll(url: string, posting: Posting): Promise<WebhookDelivery> {
    const body = JSON.stringify(posting.event)
    const delays = settings().retryDelaysMs
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await postOnce(url, body, posting)
      await record({ url, body, posting, attempt }, outcome)
      const delivered = 'status' in outcome && outcome.status >= 200 && outcome.status < 300
      const delay = delays[attempt - 1]
      if (delivered || delay === undefined) {
        return 'status' in outcome ? { url, status_code: outcome.status } : { url, error: outcome.error }
      }
      await wait(delay, undefined, { signal: closing })
    }
  }

  async function postOnce(url: string, body: string, posting: Posting): Promise<{ status: number } | { error: string }> {
    try {
      const reply = await fetch(url, {
        method: 'POST',
        body,
        headers: headersOf(posting, body, settings()),
        redirect: 'manual',
        signal: AbortSignal.any([closing, AbortSignal.timeout(settings().timeoutMs)]),
      })
      await reply.arrayBuffer()
      return { status: reply.status }
    } catch (error) {
      return { error: reasonOf(error) }
    }
  }

  async function record(
    one: { url: string; body: string; posting: Posting; attempt: number },
    outcome: { status: number } | { error: string },
  ): Promise<void> {
    await ledger.append({
      kind: 'webhook',
      url: one.url,
      eventId: one.posting.event.event_id,
      bodySha256: sha256(one.body),
      attempt: one.attempt,
      status: null,
      ...outcome,
    })
  }

  function later(ms: number, act: () => Promise<unknown>): void {
    wait(ms, undefined, { signal: closing })
      .then(act)
      .catch(() => {
        // Only closing ends here: what was still to be posted is given up, as a crash of the sender would.
      })
  }

  return {
    post: async (posting) => (await Promise.all(posting.urls.map((url) => postTo(url, posting)))).flat(),
  }
}

function headersOf(posting: Posting, body: string, settings: WebhookSettings): Record<string, string> {
  const secret = posting.signWith ?? settings.secret
  const headers = { 'content-type': 'application/json', 'x-paris-signature': parisSignature(secret, body) }
  if (!settings.standardWebhooks) return headers
  const id = posting.event.event_id
  const timestamp = Math.floor(Date.now() / 1000) + (posting.timestampOffsetSeconds ?? 0)
  const secrets = posting.signWith === undefined ? settings.standardSecrets : [Buffer.from(posting.signWith).toString('base64')]
  return {
    ...headers,
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': standardSignature(secrets, { id, timestamp, body }),
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message
  return error.name === 'TimeoutError' ? 'timeout' : error.message
}
