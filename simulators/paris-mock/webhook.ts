import { setTimeout as wait } from 'node:timers/promises'
import type { Faults } from '../faults.ts'
import type { Ledger } from '../ledger.ts'
import { sha256 } from '../server.ts'
import { standardSecretFrom } from './settings.ts'
import type { WebhookSettings } from './settings.ts'
import { parisSignature, standardSignature } from './signature.ts'

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

export interface WebhookSender {
  /** Posts the event to every URL at the same time and waits for the last try of each. */
  post(posting: Posting): Promise<WebhookDelivery[]>
}

interface Parts {
  ledger: Ledger
  faults: Faults
  closing: AbortSignal
  settings: () => WebhookSettings
}

/** One URL's copy of an event. */
interface Letter {
  url: string
  body: string
  posting: Posting
}

type Outcome = { status: number } | { error: string }

export function createWebhookSender(parts: Parts): WebhookSender {
  return {
    async post(posting) {
      const body = JSON.stringify(posting.event)
      return (await Promise.all(posting.urls.map((url) => postUnderFaults(parts, { url, body, posting })))).flat()
    },
  }
}

async function postUnderFaults(parts: Parts, letter: Letter): Promise<WebhookDelivery[]> {
  const { url, body } = letter
  const fault = parts.faults.forWebhook({ method: 'POST', path: new URL(url).pathname, body })
  switch (fault?.fault) {
    case 'lost-webhook': {
      const error = 'lost by a fault rule'
      await record(parts, letter, { attempt: 1, outcome: { error } })
      return [{ url, error }]
    }
    case 'duplicate-webhook':
      return [await postWithRetries(parts, letter), await postWithRetries(parts, letter)]
    case 'delay-webhook':
      wait(fault.ms ?? 0, undefined, { signal: parts.closing })
        .then(() => postWithRetries(parts, letter))
        .catch(() => {
          // Only closing ends here: what was still to be posted is given up, as a crash of the sender would.
        })
      return [{ url, error: `delayed ${fault.ms ?? 0} ms by a fault rule` }]
    default:
      return [await postWithRetries(parts, letter)]
  }
}

async function postWithRetries(parts: Parts, letter: Letter): Promise<WebhookDelivery> {
  const { url } = letter
  const delays = parts.settings().retryDelaysMs
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await postOnce(parts, letter)
    await record(parts, letter, { attempt, outcome })
    const delivered = 'status' in outcome && outcome.status >= 200 && outcome.status < 300
    const delay = delays[attempt - 1]
    if (delivered || delay === undefined) {
      return 'status' in outcome ? { url, status_code: outcome.status } : { url, error: outcome.error }
    }
    await wait(delay, undefined, { signal: parts.closing })
  }
}

async function postOnce({ settings, closing }: Parts, { url, body, posting }: Letter): Promise<Outcome> {
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

async function record({ ledger }: Parts, { url, body, posting }: Letter, tried: { attempt: number; outcome: Outcome }): Promise<void> {
  await ledger.append({
    kind: 'webhook',
    url,
    eventId: posting.event.event_id,
    bodySha256: sha256(body),
    attempt: tried.attempt,
    status: null,
    ...tried.outcome,
  })
}

function headersOf(posting: Posting, body: string, settings: WebhookSettings): Record<string, string> {
  const { signWith } = posting
  const headers = { 'content-type': 'application/json', 'x-paris-signature': parisSignature(signWith ?? settings.secret, body) }
  if (!settings.standardWebhooks) return headers
  const id = posting.event.event_id
  const timestamp = Math.floor(Date.now() / 1000) + (posting.timestampOffsetSeconds ?? 0)
  const secrets = signWith === undefined ? settings.standardSecrets : [standardSecretFrom(signWith)]
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
