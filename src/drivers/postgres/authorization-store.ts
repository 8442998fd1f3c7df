import { createHash } from 'node:crypto'
import type {
  AuthorizationOutcome,
  AuthorizationProgress,
  AuthorizationStore,
  StartedAuthorization,
  TakenAuthorization,
} from '../../ports/authorization.ts'
import { type Pool, type PoolClient, transaction } from './pool.ts'
import type { Place, Sealer } from './sealed-column.ts'

/** Started authorizations in PostgreSQL, so that the process that hears the answer need not be the one that asked. Needs the role rosh_worker. */
export function postgresAuthorizations(pool: Pool, sealed: Sealer, marketplace: 'mercadolibre'): AuthorizationStore {
  return {
    start: (started, lifetimeMs) => transaction(pool, (client) => start(client, sealed, { ...started, marketplace, lifetimeMs })),
    take: (state) => transaction(pool, (client) => take(client, sealed, state === null ? null : hashOf(state))),
    finish: async (id, outcome) => {
      await pool.query('UPDATE oauth_authorization SET outcome = $2 WHERE state_sha256 = $1', [
        Buffer.from(id, 'hex'),
        JSON.stringify(outcome),
      ])
    },
    progress: (state) => progress(pool, hashOf(state)),
  }
}

type Start = StartedAuthorization & { marketplace: string; lifetimeMs: number }

async function start(client: PoolClient, sealed: Sealer, { state, verifier, principal, accountId, marketplace, lifetimeMs }: Start) {
  const hash = hashOf(state)
  const keyId = (await keyInUse(client)) ?? (await sealed.newDataKey(client, 'credential'))
  const { rows } = await client.query<{ expires_at: string }>(
    `INSERT INTO oauth_authorization (state_sha256, marketplace, principal, account_id, key_id, verifier, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, hub_now() + $7 * interval '1 ms') RETURNING expires_at`,
    [hash, marketplace, principal, accountId, keyId, await sealed.seal(client, keyId, place(hash), verifier), lifetimeMs],
  )
  await client.query('UPDATE oauth_authorization SET verifier = NULL WHERE verifier IS NOT NULL AND expires_at < hub_now()')
  return { expiresAt: rows[0]?.expires_at ?? '' }
}

// One key serves every authorization, or each try would leave one: a verifier is bound to its row, lives minutes and is worth nothing later.
async function keyInUse(client: PoolClient): Promise<string | undefined> {
  const { rows } = await client.query<{ key_id: string }>('SELECT key_id FROM oauth_authorization ORDER BY created_at DESC LIMIT 1')
  return rows[0]?.key_id
}

interface Row {
  state_sha256: Buffer
  principal: string
  account_id: string | null
  key_id: string
  verifier: Buffer
}

async function take(client: PoolClient, sealed: Sealer, given: Buffer | null): Promise<TakenAuthorization> {
  const hash = given ?? (await onlyOpen(client))
  if (hash === null) return { kind: 'several' }
  if (hash === undefined) return { kind: 'unknown' }
  const { rows } = await client.query<Row>(
    `SELECT state_sha256, principal, account_id, key_id, verifier FROM oauth_authorization
     WHERE state_sha256 = $1 AND taken_at IS NULL AND expires_at > hub_now() FOR UPDATE`,
    [hash],
  )
  const [row] = rows
  if (!row) return { kind: await whyNot(client, hash) }
  await client.query('UPDATE oauth_authorization SET taken_at = hub_now(), verifier = NULL WHERE state_sha256 = $1', [hash])
  const verifier = await sealed.open(client, row.key_id, place(hash), row.verifier)
  if (verifier === null) return { kind: 'expired' }
  return { kind: 'taken', id: hash.toString('hex'), verifier, principal: row.principal, accountId: row.account_id }
}

/** Undefined: none is open; null: several are. */
async function onlyOpen(client: PoolClient): Promise<Buffer | null | undefined> {
  const { rows } = await client.query<{ state_sha256: Buffer }>(
    'SELECT state_sha256 FROM oauth_authorization WHERE taken_at IS NULL AND expires_at > hub_now() LIMIT 2',
  )
  return rows.length > 1 ? null : rows[0]?.state_sha256
}

async function whyNot(client: PoolClient, hash: Buffer): Promise<'unknown' | 'expired' | 'used'> {
  const { rows } = await client.query<{ taken: boolean }>(
    'SELECT taken_at IS NOT NULL AS taken FROM oauth_authorization WHERE state_sha256 = $1',
    [hash],
  )
  if (!rows[0]) return 'unknown'
  return rows[0].taken ? 'used' : 'expired'
}

// One that was taken and has no outcome is being exchanged, or its process ended; a minute past its end nobody waits for it any more.
const PROGRESS = `
  SELECT outcome, expires_at + CASE WHEN taken_at IS NULL THEN interval '0' ELSE interval '1 minute' END < hub_now() AS over
  FROM oauth_authorization WHERE state_sha256 = $1`

async function progress(pool: Pool, hash: Buffer): Promise<AuthorizationProgress> {
  const { rows } = await pool.query<{ outcome: AuthorizationOutcome | null; over: boolean }>(PROGRESS, [hash])
  const [row] = rows
  if (row?.outcome) return { kind: 'ended', outcome: row.outcome }
  return { kind: !row || row.over ? 'expired' : 'waiting' }
}

function hashOf(state: string): Buffer {
  return createHash('sha256').update(state).digest()
}

function place(hash: Buffer): Place {
  return { table: 'oauth_authorization', row: hash.toString('hex'), column: 'verifier' }
}
