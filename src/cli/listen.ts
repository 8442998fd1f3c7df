import type { Hub } from '../assembly.ts'
import { oauthCallbackRoutes } from '../apps/oauth-callback.ts'
import { buildReceiver, type Check } from '../apps/webhook-receiver.ts'
import { connectAccount } from '../flows/connect-account.ts'
import { CliError } from './context.ts'

export interface Listening {
  url: string
  port: number
  close(): Promise<void>
}

const HOST = '127.0.0.1'

/** Opens the webhook listener; a busy port is named with the variable that moves it. */
export async function listenForWebhooks(hub: Hub, port: number): Promise<Listening> {
  const { mercadolibreSecret, mercadolibreSigned, paris, odoo } = hub.readers
  const { trustedProxyHops, allowedSources } = hub.config.file.webhooks
  const app = buildReceiver({
    readers: { mercadolibre: mercadolibreSecret, mercadolibreSigned, paris, odoo },
    inbox: hub.inbox,
    checks: { ready: () => readyChecks(hub), deep: () => deepChecks(hub) },
    log: hub.log,
    trustProxyHops: trustedProxyHops,
    ...(allowedSources === undefined ? {} : { allowedSources }),
  })
  void app.register(oauthCallbackRoutes, { connect: (answer) => connectAccount(answer, hub.accounts), log: hub.log })
  try {
    const url = await app.listen({ host: HOST, port })
    return { url, port: Number(new URL(url).port), close: () => closeAll(app, hub) }
  } catch (error) {
    await app.close()
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw new CliError('port-busy', `port ${port} is taken by another program; set HTTP_PORT to a free one`)
    }
    throw error
  }
}

async function closeAll(app: { close(): Promise<unknown> }, hub: Hub): Promise<void> {
  await app.close()
  await hub.inbox.drain()
}

async function readyChecks(hub: Hub): Promise<Check[]> {
  return [{ name: 'database', ok: await answers(hub.pools.ingest.query('SELECT 1')) }]
}

async function deepChecks(hub: Hub): Promise<Check[]> {
  const odoo = hub.erp.serverTime(AbortSignal.timeout(3_000))
  const workers = hub.pools.reader.query<{ app: string; live: boolean }>(
    `SELECT app, bool_or(beat_at > hub_now() - interval '15 seconds') AS live FROM worker_heartbeat GROUP BY app`,
  )
  const [ready, odooAnswers, live] = await Promise.all([readyChecks(hub), answers(odoo), workers.catch(() => ({ rows: [] }))])
  return [...ready, { name: 'odoo', ok: odooAnswers }, ...live.rows.map((row) => ({ name: row.app, ok: row.live }))]
}

async function answers(asked: Promise<unknown>): Promise<boolean> {
  return asked.then(
    () => true,
    () => false,
  )
}
