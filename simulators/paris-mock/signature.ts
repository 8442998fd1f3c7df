import { createHmac } from 'node:crypto'

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
