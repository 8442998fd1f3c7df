import { createHmac } from 'node:crypto'
import { withAccounts } from './channel-settings.ts'
import type { Config } from './config.ts'
import { keyRingOf } from './key-ring.ts'
import { type HttpClient, httpClient } from './drivers/http.ts'
import { mercadolibreAuthorizer } from './drivers/mercadolibre/authorizer.ts'
import type { OauthApp } from './drivers/mercadolibre/oauth.ts'
import { mercadolibreTokens } from './drivers/mercadolibre/token-source.ts'
import { postgresAudit } from './drivers/postgres/audit.ts'
import { accountsAdded } from './drivers/postgres/channels.ts'
import { postgresAuthorizations } from './drivers/postgres/authorization-store.ts'
import { credentialStore } from './drivers/postgres/credential-store.ts'
import { connect, type Pool } from './drivers/postgres/pool.ts'
import { type Sealer, sealer } from './drivers/postgres/sealed-column.ts'
import { systemClock } from './drivers/system-clock.ts'
import { systemRandom } from './drivers/system-random.ts'

function oauthAppOf(config: Config): OauthApp {
  const { clientId, clientSecret, redirectUri, authBase } = config.mercadolibre
  return { clientId, clientSecret: clientSecret.reveal(), redirectUri, authBase }
}

/** Keys the digests that the audit log keeps of texts which may be of a person; the same in every process of this home. */
export function auditTextKey({ secrets }: Config): Uint8Array {
  return createHmac('sha256', Buffer.from(secrets.planTokenKey, 'base64url')).update('texts of the audit log').digest()
}

/** Seals under the keys of this home, those that a rotation brings meanwhile included. */
export function sealerOf(config: Config): Sealer {
  return sealer(() => keyRingOf(config))
}

export type Accounts = ReturnType<typeof accountsOf>

const EXCHANGE_TIMEOUT_MS = 15_000

/** What connecting and asking after marketplace accounts needs, on the pools of whoever calls; the hub and the command line have the same. */
export function accountsOf(config: Config, pools: { worker: Pool; operator: Pool }, sealed: Sealer) {
  const http = httpClient({ origin: config.mercadolibre.apiBase, timeoutMs: EXCHANGE_TIMEOUT_MS, connections: 4 })
  const app = oauthAppOf(config)
  const audit = postgresAudit(pools.operator, auditTextKey(config))
  const credentials = credentialStore(pools.worker, sealed)
  return {
    http,
    authorizations: postgresAuthorizations(pools.worker, sealed, 'mercadolibre'),
    server: mercadolibreAuthorizer({ app, http }),
    credentials,
    audit,
    clock: systemClock,
    /** The configuration with the accounts that were connected without being named in it. */
    withAdded: async (to: Config) => withAccounts(to, await accountsAdded(pools.worker, 'mercadolibre')),
    /** Access tokens of an account, refreshed over `via` when it is time. */
    tokensOf: (channel: string, via: HttpClient = http) =>
      mercadolibreTokens({
        channel,
        store: credentials,
        app,
        http: via,
        clock: systemClock,
        random: systemRandom,
        skewMs: config.variables.ML_REFRESH_SKEW_SECONDS * 1000,
        leaseMs: 60_000,
        busyWaitMs: 10_000,
      }),
    async close() {
      await audit.drain()
      await http.close()
    },
  }
}

/** The same with pools of its own, for a command. */
export function openAccounts(config: Config, databaseUrl: string): Accounts {
  const poolOf = (role: 'rosh_worker' | 'rosh_operator') =>
    connect({ url: databaseUrl, role, max: 2, applicationName: `rosh auth ${role}` })
  const pools = { worker: poolOf('rosh_worker'), operator: poolOf('rosh_operator') }
  const accounts = accountsOf(config, pools, sealerOf(config))
  return {
    ...accounts,
    async close() {
      await accounts.close()
      await Promise.all([pools.worker.end(), pools.operator.end()])
    },
  }
}
