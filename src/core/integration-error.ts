import type { CauseCode } from './cause-code.ts'
import { withoutContacts, withoutValues } from './masked-text.ts'
import { shortened, storableText } from './storable-text.ts'

/** The closed list of what can go wrong between the hub and another system. Only the code decides policy. */
export const INTEGRATION_ERROR_CODES = [
  'unreachable', // nothing reached the other system
  'no-answer', // the request left and no clear answer came back
  'malformed-response', // an answer that its schema refuses
  'unavailable', // 5xx without Retry-After
  'rate-limited', // 429, or 503 with Retry-After
  'unauthorized', // the credential was refused
  'conflict', // 409
  'not-found', // 404
  'rejected', // any other 3xx or 4xx: the content was refused
  'unsupported', // the adapter's declared capabilities say no
] as const
export type IntegrationErrorCode = (typeof INTEGRATION_ERROR_CODES)[number]

export interface IntegrationErrorDetail {
  /** Cause code to show when this ends a delivery; the driver knows it (for example `sku-unknown`). */
  causeCode?: CauseCode
  /** How long the other system asked us to wait, in milliseconds. */
  retryAfterMs?: number
  httpStatus?: number
  /** With `unauthorized`: a working credential is at hand by now, so the next request goes out at once and the channel is not paused. */
  credentialRenewed?: boolean
  /** One sanitised sentence for people, written by the driver; never another system's body. */
  summary?: string
  /** Text of the other system, shown only as quarantined, untrusted data. At most 500 characters. */
  theirText?: string
  cause?: unknown
}

const MOST_TEXT = 500

/** A failure of another system, thrown only by drivers. Any other throw is a bug. */
export class IntegrationError extends Error {
  readonly code: IntegrationErrorCode
  readonly detail: IntegrationErrorDetail
  constructor(code: IntegrationErrorCode, detail: IntegrationErrorDetail = {}) {
    const { summary, theirText } = detail
    const said = summary === undefined ? undefined : storableText(summary)
    super(said ?? code, { cause: detail.cause })
    this.name = 'IntegrationError'
    this.code = code
    // Both end in rows; what a driver cut out of an answer may begin or end in the middle of a character.
    this.detail = {
      ...detail,
      ...(said === undefined ? {} : { summary: said }),
      ...(theirText === undefined ? {} : { theirText: shortened(theirText, MOST_TEXT) }),
    }
  }
}

/**
 * The same for rows, logs and people who may not see buyers: a refusal often repeats what was sent. Goes without the given values of a person,
 * their text without anybody's address, phone or RUT besides.
 */
export function withoutPersonal(detail: IntegrationErrorDetail, values: readonly string[]): IntegrationErrorDetail {
  const { summary, theirText } = detail
  return {
    ...detail,
    ...(summary === undefined ? {} : { summary: withoutValues(summary, values) }),
    ...(theirText === undefined ? {} : { theirText: withoutContacts(withoutValues(theirText, values)) }),
  }
}

export type AttemptOutcome = 'ok' | 'rejected' | 'not-sent' | 'unknown'

/** What the attempt row says of a request that ended with this code. */
export function outcomeOf(code: IntegrationErrorCode): AttemptOutcome {
  switch (code) {
    case 'unreachable':
    case 'unsupported':
      return 'not-sent'
    case 'no-answer':
    case 'malformed-response':
    case 'unavailable':
      return 'unknown'
    case 'rate-limited':
    case 'unauthorized':
    case 'conflict':
    case 'not-found':
    case 'rejected':
      return 'rejected'
  }
}
