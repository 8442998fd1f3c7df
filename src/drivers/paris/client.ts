import type { z } from 'zod'
import { IntegrationError } from '../../core/integration-error.ts'
import { codeOfStatus, type HttpClient, type HttpReply, type HttpRequest, parseReply, retryAfterMs } from '../http.ts'

export interface ParisClient {
  /** One request with the account's key; its reply read by `schema`. Throws an IntegrationError for everything that is no 2xx. */
  call<T>(schema: z.ZodType<T>, request: HttpRequest): Promise<T>
}

export interface ParisClientParts {
  http: HttpClient
  apiKey: string
  /** Wall clock for Retry-After in its date form. */
  nowMs?: () => number
}

/** Paris by its mock contract: header `X-API-Key`. */
export function parisClient({ http, apiKey, nowMs = Date.now }: ParisClientParts): ParisClient {
  return {
    async call(schema, request) {
      const reply = await http.exchange({ ...request, headers: { 'x-api-key': apiKey } })
      const failure = failureOf(reply, nowMs())
      if (failure) throw failure
      return parseReply(schema, reply)
    },
  }
}

const MOST_TEXT = 500

function failureOf(reply: HttpReply, nowMs: number): IntegrationError | undefined {
  const code = codeOfStatus(reply.status, reply.headers)
  if (code === undefined) return undefined
  const waitMs = retryAfterMs(reply.headers['retry-after'], nowMs)
  const unknownSku = /unknown sku|value_error\.sku/i.test(reply.text)
  return new IntegrationError(code, {
    httpStatus: reply.status,
    summary: `Paris answered ${reply.status}`,
    ...(reply.text === '' ? {} : { theirText: reply.text.slice(0, MOST_TEXT) }),
    ...(code === 'rate-limited' && waitMs !== undefined ? { retryAfterMs: waitMs } : {}),
    ...(code === 'rejected' ? { causeCode: unknownSku ? 'sku-unknown' : 'rejected-by-target' } : {}),
  })
}
