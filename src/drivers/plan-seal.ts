import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import type { DrainPlan, Opened, PlanSeal } from '../ports/plan-seal.ts'

const TTL_MS = 600_000
const SHORTEST_KEY = 32
const LONGEST_TOKEN = 4_000

/** Plan tokens: base64url of the plan, a dot, HMAC-SHA256 of it. `key` has at least 32 bytes and is shared by every process that opens them. */
export function hmacPlanSeal(key: Uint8Array, nowMs: () => number = Date.now): PlanSeal {
  if (key.length < SHORTEST_KEY) throw new Error(`the key of plan tokens has ${key.length} bytes; it needs at least ${SHORTEST_KEY}`)
  const mac = (body: string): Buffer => createHmac('sha256', key).update(`rosh plan token 1\n${body}`).digest()
  return {
    seal: (plan) => {
      const expiresAtMs = nowMs() + TTL_MS
      const body = Buffer.from(JSON.stringify({ ...plan, tokenId: randomUUID(), expiresAtMs })).toString('base64url')
      return { token: `${body}.${mac(body).toString('base64url')}`, expiresAt: new Date(expiresAtMs).toISOString() }
    },
    open: (token) => {
      const [body = '', sealed = ''] = token.length > LONGEST_TOKEN ? [] : token.split('.')
      const given = Buffer.from(sealed, 'base64url')
      const wanted = mac(body)
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return { kind: 'invalid' }
      return openBody(body, nowMs())
    },
  }
}

// Only what carried a valid seal gets here, so it has the shape that `seal` wrote.
function openBody(body: string, nowMs: number): Opened {
  const { expiresAtMs, ...plan } = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as DrainPlan & { expiresAtMs: number }
  return expiresAtMs > nowMs ? { kind: 'open', plan } : { kind: 'expired' }
}
