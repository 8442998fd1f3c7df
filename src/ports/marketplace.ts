import type { Capabilities } from '../core/channel.ts'
import type { Reading } from '../core/inbound-event.ts'
import type { Fragment } from '../core/order.ts'
import type { AttemptLog } from './attempt-log.ts'
import type { Personal, Target } from './target.ts'

/** What one fetch of a resource showed: fragments of one canonical order, ready to be stored as observations. */
export interface Fetched {
  orderKey: string
  fragments: Fragment[]
  personal: Personal | null
}

/** An order as a sweep lists it. */
export interface Listed {
  resource: string
  orderKey: string
  /** Null where the source has no versions. */
  version: string | null
  /** ISO instant of its creation there; null where the list does not say. */
  createdAt: string | null
}

export interface SweepPage {
  /** Order resources that changed, oldest first, as the pointers that `fetchOrder` takes. */
  resources: Listed[]
  /** Opaque; null when this was the last page. */
  next: string | null
}

export interface WebhookRequest {
  /** Path below `/webhooks/`, for example `mercadolibre/secret`. */
  path: string
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>
  body: Uint8Array
  /** Instant of receipt in milliseconds since the epoch, for timestamp tolerance. */
  receivedAtMs: number
}

/** One marketplace account. */
export interface Marketplace extends Target {
  readonly channel: string
  /** Declared from the configured target and mode, never guessed from a host name. */
  readonly capabilities: Capabilities
  /** Whether `listChanged` shows a change of an order that was created long before. Where not, open orders are fetched again more often. */
  readonly listsChanges: boolean
  /**
   * Fetches what `resource` points at with the account's own credentials, and every part of the same order that belongs to it.
   * The URL is built from a whitelist, never from the pointer's text. Throws `not-found` when the marketplace does not show it (yet).
   */
  fetchOrder(resource: string, log: AttemptLog, signal: AbortSignal): Promise<Fetched>
  /**
   * Orders changed since `sinceIso`, cancelled ones included; pages until `next` is null. Where `listsChanges` is false the vendor lists by
   * creation alone: only orders created since then.
   */
  listChanged(sinceIso: string, page: string | null, signal: AbortSignal): Promise<SweepPage>
  /** Notifications the marketplace says it could not deliver; empty where it keeps none. */
  missedEvents(signal: AbortSignal): Promise<Reading>
}

/** Verifies and reads webhooks of one marketplace, for all its accounts. Total: garbage is a refusal, never a throw. */
export interface WebhookReader {
  read(request: WebhookRequest): Reading
  /** True where an unreadable request on the right path is answered 200 anyway, since the sender would retry it for ever. */
  readonly answersUnreadableWith200: boolean
}
