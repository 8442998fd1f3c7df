import type { Config } from './config.ts'
import type { WEBHOOK_KEYS } from './config-file.ts'
import type { WebhookKey } from './core/webhook-key.ts'
import type { Secret } from './secret.ts'

export const WEBHOOK_SOURCES = ['paris', 'mercadolibre-signed', 'mercadolibre-path', 'odoo-path'] as const
export type WebhookSource = (typeof WEBHOOK_SOURCES)[number]

type KeyVariable = (typeof WEBHOOK_KEYS)[number]

/** The keys a source may prove itself with: the current one and, while it is replaced, the next one. */
export function webhookKeys(config: Config, source: WebhookSource): WebhookKey[] {
  const { variables: v, mercadolibre, paris, odooPathSecret } = config
  const pairs: Record<WebhookSource, [KeyVariable, Secret, KeyVariable, Secret | undefined]> = {
    paris: ['PARIS_API_SECRET', paris.apiSecret, 'PARIS_API_SECRET_NEXT', v.PARIS_API_SECRET_NEXT],
    'mercadolibre-signed': ['ML_WEBHOOK_SECRET', mercadolibre.webhookSecret, 'ML_WEBHOOK_SECRET_NEXT', v.ML_WEBHOOK_SECRET_NEXT],
    'mercadolibre-path': ['ML_WEBHOOK_PATH_SECRET', mercadolibre.pathSecret, 'ML_WEBHOOK_PATH_SECRET_NEXT', v.ML_WEBHOOK_PATH_SECRET_NEXT],
    'odoo-path': ['ODOO_WEBHOOK_PATH_SECRET', odooPathSecret, 'ODOO_WEBHOOK_PATH_SECRET_NEXT', v.ODOO_WEBHOOK_PATH_SECRET_NEXT],
  }
  const [current, secret, next, nextSecret] = pairs[source]
  return [key(config, current, secret), ...(nextSecret === undefined ? [] : [key(config, next, nextSecret)])]
}

function key(config: Config, variable: KeyVariable, secret: Secret): WebhookKey {
  const settings = config.file.webhooks.keys[variable]
  return {
    keyId: settings?.id ?? (variable.endsWith('_NEXT') ? 'next' : 'current'),
    value: secret.reveal(),
    ...(settings?.notBefore === undefined ? {} : { notBeforeMs: Date.parse(settings.notBefore) }),
    ...(settings?.notAfter === undefined ? {} : { notAfterMs: Date.parse(settings.notAfter) }),
  }
}
