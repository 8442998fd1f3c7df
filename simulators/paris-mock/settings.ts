import { z } from 'zod'

export const profiles = ['external-ref-unique', 'naive', 'idempotent-key'] as const

/**
 * How the simulator behaves; held in memory, so a restart goes back to what it was started with.
 * `naive` never dedupes, `external-ref-unique` answers a repeated reference with the stored order (the contract),
 * `idempotent-key` does so by the header `Idempotency-Key`.
 */
export interface Behaviour {
  profile: (typeof profiles)[number]
  /** A created order shows in lists this much later; by id at once. Milliseconds. */
  searchLagMs: number
  /** A write takes effect, and is answered, this much after its arrival. Milliseconds. */
  processingMs: number
  /** Whether `GET /orders?external_ref=` filters; when off the parameter is ignored. */
  referenceLookUp: boolean
}

/** Body of `PUT /admin/profile`. */
export const behaviourChange = z.strictObject({
  profile: z.enum(profiles).optional(),
  searchLagMs: z.int().min(0).max(86_400_000).optional(),
  processingMs: z.int().min(0).max(86_400_000).optional(),
  referenceLookUp: z.boolean().optional(),
})

/** How webhooks are signed and sent; held in memory. */
export interface WebhookSettings {
  /** Key of `X-Paris-Signature`. */
  secret: string
  /** Sends the Standard Webhooks headers beside it. */
  standardWebhooks: boolean
  /** `whsec_…` each; one `v1` signature for every one, so that two overlap during a rotation. */
  standardSecrets: string[]
  /** Wait before each further try after an answer that is not 2xx. Milliseconds; three tries by default. */
  retryDelaysMs: number[]
  timeoutMs: number
}

export const standardSecret = z.string().regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/, 'must be whsec_ and base64')

/** Body of `PUT /admin/webhooks`. */
export const webhookChange = z.strictObject({
  secret: z.string().min(1).optional(),
  standardWebhooks: z.boolean().optional(),
  standardSecrets: z.array(standardSecret).min(1).optional(),
  retryDelaysMs: z.array(z.int().min(0).max(3_600_000)).max(20).optional(),
  timeoutMs: z.int().min(1).max(600_000).optional(),
})

/** A secret that is no `whsec_` one becomes one over its UTF-8 bytes, so one setting serves both headers. */
export function standardSecretFrom(secret: string): string {
  return standardSecret.safeParse(secret).success ? secret : `whsec_${Buffer.from(secret, 'utf8').toString('base64')}`
}
