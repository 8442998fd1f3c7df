import { concurrencyOf } from './channel-settings.ts'
import type { Config } from './config.ts'
import type { Channel } from './core/channel.ts'
import type { PlanSettings } from './core/desired.ts'
import type { OdooErpOptions } from './drivers/odoo/erp.ts'

/** What planning looks at, from the configuration. */
export function planSettings(config: Config, channels: readonly Channel[]): PlanSettings {
  const rules = config.file.routing.map(({ name, when, to }) => ({
    name,
    when: Object.fromEntries(Object.entries(when).filter(([, value]) => value !== undefined)),
    to,
  }))
  return { channels, rules }
}

/** What the Odoo driver is built with, from the configuration. */
export function odooOptions(config: Config, channels: readonly Channel[]): OdooErpOptions {
  const { warehouseId } = config.file.channels.odoo ?? {}
  const timing = channels.find((c) => c.id === 'odoo')?.timing
  return {
    url: config.odoo.url,
    db: config.odoo.db,
    user: config.odoo.user,
    password: config.odoo.password.reveal(),
    ...(config.odoo.nextPassword ? { nextPassword: config.odoo.nextPassword.reveal() } : {}),
    taxMode: config.file.taxMode,
    channelPartners: config.file.partners,
    routingFields: [...new Set(config.file.routing.flatMap((r) => (r.when.field ? [r.when.field.name] : [])))],
    ...(warehouseId === undefined ? {} : { warehouseId }),
    connections: concurrencyOf(config, 'odoo') + 2,
    ...(timing ? { writeTimeoutMs: timing.timeoutMs, readTimeoutMs: Math.min(timing.timeoutMs, 20_000), marginMs: timing.marginMs } : {}),
  }
}
