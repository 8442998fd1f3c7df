import { auditTextKey, sealerOf } from './accounts.ts'
import { channelsOf, withAccounts } from './channel-settings.ts'
import type { Config } from './config.ts'
import { odooErp } from './drivers/odoo/erp.ts'
import { hmacPlanSeal } from './drivers/plan-seal.ts'
import { apiTokens } from './drivers/postgres/api-tokens.ts'
import { postgresAudit } from './drivers/postgres/audit.ts'
import { accountsAdded, channelNames } from './drivers/postgres/channels.ts'
import { postgresDeadLetters } from './drivers/postgres/dead-letters.ts'
import { postgresFailedOrders } from './drivers/postgres/failed-orders.ts'
import { postgresInbox } from './drivers/postgres/inbox.ts'
import { postgresOrderStore } from './drivers/postgres/order-store.ts'
import { postgresOrderTrace } from './drivers/postgres/order-trace.ts'
import { keptPlanSettings } from './drivers/postgres/plan-settings.ts'
import { postgresPersonalData } from './drivers/postgres/personal-data.ts'
import { personalVault } from './drivers/postgres/personal.ts'
import { connect } from './drivers/postgres/pool.ts'
import { postgresRetention } from './drivers/postgres/retention.ts'
import { postgresSyncMetrics } from './drivers/postgres/sync-metrics.ts'
import { systemClock } from './drivers/system-clock.ts'
import { NOT_IN_QUARANTINE, rereadQuarantined } from './flows/reread-quarantined.ts'
import type { QuarantineOf } from './ports/order-store.ts'
import type { Personal } from './ports/target.ts'
import { odooOptions } from './driver-settings.ts'

export type Desk = Awaited<ReturnType<typeof openDesk>>

/** Orders read and stored together, and how long the collector's cursor is held for it. */
const REREAD = { chunk: 50, leaseMs: 60_000 }
/** Somebody waits for the answer. */
const REREAD_MS = 20_000

/** What people and agents ask and repair with: the same functions for the MCP server, the command line and the console. */
export async function openDesk(given: Config, databaseUrl: string) {
  const poolOf = (role: 'rosh_reader' | 'rosh_operator' | 'rosh_worker') =>
    connect({ url: databaseUrl, role, max: 4, applicationName: `rosh desk ${role}` })
  const reader = poolOf('rosh_reader')
  const operator = poolOf('rosh_operator')
  const worker = poolOf('rosh_worker') // planning writes deliveries and opens sealed columns, which operators may not
  const config = withAccounts(given, await accountsAdded(reader, 'mercadolibre'))
  const channels = channelsOf(config)
  const vault = personalVault(worker, sealerOf(config))
  // By the hub's own rules: this process may have been started with others.
  const hubStore = async () => {
    const plan = await keptPlanSettings(worker)
    return plan && postgresOrderStore(worker, { plan, vault, maxTries: config.variables.OUTBOX_MAX_ATTEMPTS })
  }
  const erp = await odooErp(odooOptions(config, channels))
  const audit = postgresAudit(operator, auditTextKey(config))
  const inbox = postgresInbox(worker, { maxTries: config.variables.OUTBOX_MAX_ATTEMPTS })
  return {
    trace: postgresOrderTrace(reader),
    erp,
    deadLetters: postgresDeadLetters(operator),
    failed: postgresFailedOrders(reader),
    metrics: postgresSyncMetrics(reader),
    channels: channelNames(reader),
    inbox,
    orders: { replan: async (orderId: string) => (await hubStore())?.replan(orderId) ?? 0 },
    async reread(of: QuarantineOf) {
      const store = await hubStore()
      if (!store) return NOT_IN_QUARANTINE
      return rereadQuarantined(of, { erp, store, clock: systemClock, ...REREAD }, AbortSignal.timeout(REREAD_MS))
    },
    personal: async (orderId: string): Promise<Personal | null> => {
      const { rows } = await worker.query<{ key_id: string; personal: Buffer }>(
        `SELECT key_id, personal FROM silver_order WHERE id = $1 AND key_id IS NOT NULL AND personal IS NOT NULL`,
        [orderId],
      )
      return rows[0] ? vault.open(rows[0].key_id, orderId, rows[0].personal) : null
    },
    personalData: postgresPersonalData({ worker, operator, vault }),
    retention: postgresRetention(operator),
    seal: hmacPlanSeal(Buffer.from(config.secrets.planTokenKey, 'base64url')),
    audit,
    tokens: apiTokens(operator),
    clock: systemClock,
    async close() {
      await Promise.all([audit.drain(), inbox.drain()])
      await Promise.all([erp.close(), reader.end(), operator.end(), worker.end()])
    },
  }
}
