import { z } from 'zod'
import { IntegrationError, type IntegrationErrorDetail } from '../../core/integration-error.ts'
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
      const reply = await http.exchange({ ...request, headers: { ...request.headers, 'x-api-key': apiKey } })
      const failure = failureOf(reply, nowMs())
      if (failure) throw failure
      if (reply.text === '') throw new IntegrationError('no-answer', { httpStatus: reply.status, summary: 'the answer is empty' })
      return parseReply(schema, reply)
    },
  }
}

const MOST_TEXT = 500

/** What a reply that is no 2xx means, by its status; the body says only why a request was refused. */
function failureOf(reply: HttpReply, nowMs: number): IntegrationError | undefined {
  const byStatus = codeOfStatus(reply.status, reply.headers)
  if (byStatus === undefined) return undefined
  // A 409 asks to read again and retry, unless another order holds our reference: no retry changes that.
  const isTaken = reply.status === 409 && /external_ref belongs to/.test(reply.text)
  const code = isTaken ? 'rejected' : byStatus
  const waitMs = retryAfterMs(reply.headers['retry-after'], nowMs)
  const reason = reasonIn(reply.text)
  const detail: IntegrationErrorDetail = {
    httpStatus: reply.status,
    summary: isTaken ? 'another order at Paris holds our reference' : `Paris answered ${reply.status}`,
    ...(reason === '' ? {} : { theirText: reason.slice(0, MOST_TEXT) }),
    ...(code === 'rate-limited' && waitMs !== undefined ? { retryAfterMs: waitMs } : {}),
    ...(code === 'rejected' ? { causeCode: causeOf(isTaken, reply) } : {}),
  }
  return new IntegrationError(code, detail)
}

const said = z.unknown().optional()
const Reason = z.object({ detail: said, message: said, error: said, code: said })

/** Why, in their words: an answer that shows an order beside it shows its buyer. What is no JSON comes from a gateway and stays. */
function reasonIn(text: string): string {
  try {
    const { data = {} } = Reason.safeParse(JSON.parse(text))
    return Object.keys(data).length === 0 ? '' : JSON.stringify(data)
  } catch {
    return text
  }
}

function causeOf(isTaken: boolean, { status, text }: HttpReply): 'duplicated-at-target' | 'sku-unknown' | 'rejected-by-target' {
  if (isTaken) return 'duplicated-at-target'
  return status === 422 && /unknown sku|value_error\.sku/i.test(text) ? 'sku-unknown' : 'rejected-by-target'
}
