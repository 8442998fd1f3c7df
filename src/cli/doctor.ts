import { channelsOf } from '../channel-settings.ts'
import { assemble, type Hub } from '../assembly.ts'
import type { Config } from '../config.ts'
import { runningConfig } from './configuration.ts'
import { conclude, type Register } from './context.ts'
import { attachDatabase } from './database.ts'
import { logTo } from './log.ts'
import { databaseProblem } from '../drivers/postgres/database-problem.ts'
import { keyUses } from '../drivers/postgres/webhook-key-use.ts'
import { WEBHOOK_SOURCES, webhookKeys } from '../webhook-keys.ts'

interface Finding {
  part: string
  ok: boolean
  says: string
}

/** `rosh doctor`: what is reachable, what is missing, and how to fix it. */
export const registerDoctor: Register = (program, context) => {
  program
    .command('doctor')
    .description('say what is reachable, what is missing and how to fix it')
    .option('--json', 'print one JSON object')
    .action(async (options: { json?: boolean }) => {
      const config = runningConfig(context)
      const { url, embedded } = await attachDatabase(config)
      const findings = await findingsOf(config, url, embedded)
      const toFix = findings.filter((f) => !f.ok).map((f) => f.part)
      conclude(context, options.json, {
        data: { ok: toFix.length === 0, findings },
        say: () => {
          for (const { part, ok, says } of findings) context.print(`${ok ? 'ok ' : 'FIX'}  ${part.padEnd(24)} ${says}`)
        },
        failure: toFix.length > 0 ? { code: 'not-ready', message: `to fix: ${toFix.join(', ')}` } : undefined,
      })
    })
}

async function findingsOf(config: Config, url: string, embedded: boolean): Promise<Finding[]> {
  let hub: Hub
  try {
    hub = await assemble(config, url, logTo('silent'))
  } catch (error) {
    const says = databaseProblem(error)
    if (says === undefined) throw error
    return [{ part: 'database', ok: false, says }]
  }
  try {
    return [
      { part: 'database', ok: true, says: embedded ? 'embedded PostgreSQL' : 'reachable, roles granted' },
      ...(await Promise.all([odoo(hub), ...channels(hub)])),
      ...(await replacedKeys(hub)),
    ]
  } finally {
    await hub.close()
  }
}

async function odoo(hub: Hub): Promise<Finding> {
  try {
    const health = await hub.erp.health(AbortSignal.timeout(15_000))
    const expiry = health.keyExpiresAt ? `; its key ends ${health.keyExpiresAt}` : ''
    const says = `Odoo ${health.version} by ${health.transport}, database ${health.database}, user ${health.user}${expiry}`
    return { part: 'odoo', ok: health.problems.length === 0, says: [says, ...health.problems].join('; ') }
  } catch (error) {
    return {
      part: 'odoo',
      ok: false,
      says: `${error instanceof Error ? error.message : 'unknown'}; check ODOO_URL, ODOO_DB, ODOO_USER and ODOO_PASSWORD (or ODOO_PASSWORD_NEXT)`,
    }
  }
}

/** While a webhook key is replaced: when the old one was last used. */
async function replacedKeys(hub: Hub): Promise<Finding[]> {
  const uses = await keyUses(hub.pools.reader)
  return WEBHOOK_SOURCES.flatMap((source) => {
    const [old, next] = webhookKeys(hub.config, source)
    if (!old || !next) return []
    const last = uses.find((use) => use.source === source && use.keyId === old.keyId)?.lastUsedAt
    const says = `${old.keyId} is being replaced by ${next.keyId}; ${last ? `${old.keyId} was last used ${last}` : `nobody has used ${old.keyId}`}`
    return [{ part: `webhook key ${source}`, ok: true, says }]
  })
}

function channels(hub: Hub): Promise<Finding>[] {
  return channelsOf(hub.config)
    .filter((c) => c.marketplace !== 'odoo')
    .map(async ({ id, enabled }) => {
      if (!enabled) return { part: id, ok: true, says: 'disabled in hub.yaml' }
      const marketplace = hub.marketplaces.find((m) => m.channel === id)
      try {
        await marketplace?.listChanged(new Date().toISOString(), null, AbortSignal.timeout(15_000))
        return { part: id, ok: true, says: 'answers with our credentials' }
      } catch (error) {
        const fix = id.startsWith('mercadolibre') ? 'run `rosh auth mercadolibre`' : 'check PARIS_BASE_URL and PARIS_API_KEY'
        return { part: id, ok: false, says: `${error instanceof Error ? error.message : 'unknown'}; ${fix}` }
      }
    })
}
