/** One of the secrets by which a source proves itself; two overlap while one is replaced. */
export interface WebhookKey {
  keyId: string
  /** As text, or for Standard Webhooks `whsec_` and base64. */
  value: string
  /** Instants in milliseconds since the epoch, both included; absent: no bound. */
  notBeforeMs?: number
  notAfterMs?: number
}

/**
 * The key in force at `atMs` that the request was made with. Every key is compared, whichever matches, so that the time says nothing. An empty key
 * signs what anybody can sign, so it is none.
 */
export function keyOf(keys: readonly WebhookKey[], atMs: number, isOf: (key: WebhookKey) => boolean): WebhookKey | undefined {
  return keys.filter((key) => isOf(key) && key.value !== '').find((key) => isInForce(key, atMs))
}

function isInForce({ notBeforeMs = -Infinity, notAfterMs = Infinity }: WebhookKey, atMs: number): boolean {
  return atMs >= notBeforeMs && atMs <= notAfterMs
}
