import type { CredentialStore, RefreshLease, TokenPair } from '../../ports/credential-store.ts'
import { type Pool, type PoolClient, transaction } from './pool.ts'
import { retried } from './retry.ts'
import type { Sealer } from './sealed-column.ts'

/** A new pair is worth waiting for: its refresh token is the only one left. About 30 s in all. */
const SAVE_PAUSES_MS = [50, 200, 500, 1_000, 2_000, 3_000, 5_000, 5_000, 5_000, 8_000]

/** Token pairs in sealed columns, refreshed by one process at a time. Needs the role rosh_worker. */
export function credentialStore(pool: Pool, sealed: Sealer): CredentialStore {
  return {
    read: async (channel) => {
      const row = await readRow(pool, channel)
      return row ? openPair(pool, sealed, row) : null
    },
    leaseRefresh: (channel, seenVersion, leaseMs) =>
      transaction(pool, (client) => leaseRefresh(client, sealed, { channel, seenVersion, leaseMs })),
    markExchange: async (channel, lease) => {
      const { rowCount } = await pool.query(
        'UPDATE credential SET exchange_at = hub_now() WHERE channel = $1 AND lease = $2 AND lease_until > hub_now() AND exchange_at IS NULL',
        [channel, lease],
      )
      return rowCount === 1
    },
    saveRefreshed: (channel, lease, pair) =>
      retried(() => transaction(pool, (client) => saveRefreshed(client, sealed, { channel, lease, pair })), { pausesMs: SAVE_PAUSES_MS }),
    releaseRefresh: async (channel, lease) => {
      await pool.query('UPDATE credential SET lease = NULL, lease_until = NULL, exchange_at = NULL WHERE channel = $1 AND lease = $2', [
        channel,
        lease,
      ])
    },
    requireReconnect: (channel, lease, reason) =>
      transaction(pool, async (client) => {
        const { rowCount } = await client.query(
          `UPDATE credential SET reconnect_required_at = coalesce(reconnect_required_at, hub_now()), reconnect_reason = $3,
             lease = NULL, lease_until = NULL, exchange_at = NULL, updated_at = hub_now()
           WHERE channel = $1 AND ($2::bigint IS NULL OR lease = $2)`,
          [channel, lease, reason],
        )
        // A lease that another holder took over since decides nothing any more.
        if (rowCount === 1 || lease === null) await pause(client, channel)
      }),
    connect: (channel, pair) => retried(() => transaction(pool, (client) => connectAccount(client, sealed, channel, pair))),
  }
}

interface Row {
  channel: string
  key_id: string
  access_token: Buffer
  refresh_token: Buffer | null
  expires_at: string
  version: string
  lease: string | null
  leased: boolean
  exchange_at: string | null
  reconnect_required_at: string | null
}

const READ = `
  SELECT channel, key_id, access_token, refresh_token, expires_at, version, lease, coalesce(lease_until > hub_now(), false) AS leased, exchange_at,
         reconnect_required_at
  FROM credential WHERE channel = $1`

async function readRow(client: Pool | PoolClient, channel: string): Promise<Row | undefined> {
  return (await client.query<Row>(READ, [channel])).rows[0]
}

// Two statements: the row as it is once the lock is held, not as it was when the wait for it began.
async function lockRow(client: PoolClient, channel: string): Promise<Row | undefined> {
  await client.query('SELECT FROM credential WHERE channel = $1 FOR UPDATE', [channel])
  return readRow(client, channel)
}

async function leaseRefresh(
  client: PoolClient,
  sealed: Sealer,
  { channel, seenVersion, leaseMs }: { channel: string; seenVersion: number; leaseMs: number },
): Promise<RefreshLease> {
  const row = await lockRow(client, channel)
  if (!row) return { kind: 'reconnect-required', since: await databaseTime(client) }
  if (row.reconnect_required_at !== null) return { kind: 'reconnect-required', since: row.reconnect_required_at }
  const current = await openPair(client, sealed, row)
  if (current === null) return loseTokens(client, row, 'its key is gone')
  if (current.version !== seenVersion) return { kind: 'advanced', current }
  if (row.leased) return { kind: 'busy' }
  // The exchange was about to be sent and nothing was saved: the refresh token may be spent, and trying it again would only hide that.
  if (row.exchange_at !== null) return loseTokens(client, row, 'the process that refreshed it ended between exchange and save')
  const { rows } = await client.query<{ lease: string }>(
    `UPDATE credential SET lease = nextval('lease_number'), lease_until = hub_now() + $2 * interval '1 ms' WHERE channel = $1 RETURNING lease`,
    [channel, leaseMs],
  )
  return { kind: 'leased', lease: rows[0]?.lease ?? '', current }
}

// The lease number stays: should its holder only have been slow, its late save still heals the account.
async function loseTokens(client: PoolClient, row: Row, reason: string): Promise<RefreshLease> {
  const { rows } = await client.query<{ since: string }>(
    `UPDATE credential SET reconnect_required_at = hub_now(), reconnect_reason = $2, updated_at = hub_now()
     WHERE channel = $1 RETURNING reconnect_required_at AS since`,
    [row.channel, reason],
  )
  await pause(client, row.channel)
  return { kind: 'reconnect-required', since: rows[0]?.since ?? '' }
}

async function saveRefreshed(
  client: PoolClient,
  sealed: Sealer,
  { channel, lease, pair }: { channel: string; lease: string; pair: Omit<TokenPair, 'version'> },
): Promise<TokenPair> {
  const row = await lockRow(client, channel)
  if (!row) throw new Error(`there is no credential of channel ${channel} to refresh`)
  const current = await openPair(client, sealed, row)
  if (row.lease !== lease) {
    // Saved by a try whose commit was not confirmed, or connected anew by a person: what stands is what counts.
    if (current === null) throw new Error(`the credential of channel ${channel} cannot be read`)
    return current
  }
  if (row.reconnect_required_at !== null) await unpause(client, channel)
  return writePair(client, sealed, { channel, keyId: row.key_id, version: Number(row.version) + 1, pair, previous: current })
}

async function connectAccount(client: PoolClient, sealed: Sealer, channel: string, pair: Omit<TokenPair, 'version'>): Promise<TokenPair> {
  // The credential before its channel, as everywhere here: the other order waits in a circle with a refresh that is refused just now.
  const row = await lockRow(client, channel)
  await addChannel(client, channel)
  await unpause(client, channel)
  if (row) return writePair(client, sealed, { channel, keyId: row.key_id, version: Number(row.version) + 1, pair, previous: null })
  const keyId = await sealed.newDataKey(client, 'credential')
  const { access, refresh } = await sealPair(client, sealed, { channel, keyId, pair })
  // Two first connections at once: the second fails on the key (23505), and its person tries again.
  await client.query('INSERT INTO credential (channel, key_id, access_token, refresh_token, expires_at) VALUES ($1, $2, $3, $4, $5)', [
    channel,
    keyId,
    access,
    refresh,
    pair.expiresAt,
  ])
  return { ...pair, version: 1 }
}

// An account that the configuration does not name (any more) becomes a channel by being connected.
async function addChannel(client: PoolClient, channel: string): Promise<void> {
  await client.query(
    `INSERT INTO channel (id, marketplace, account_id, added_by_auth) VALUES ($1, $2, $3, true)
     ON CONFLICT (id) DO UPDATE SET added_by_auth = true WHERE NOT channel.enabled`,
    [channel, ...channel.split(/:(.*)/s, 2)],
  )
}

interface Write {
  channel: string
  keyId: string
  version: number
  pair: Omit<TokenPair, 'version'>
  previous: TokenPair | null
}

async function writePair(client: PoolClient, sealed: Sealer, write: Write): Promise<TokenPair> {
  const { channel, keyId, version, pair, previous } = write
  const { access, refresh } = await sealPair(client, sealed, write)
  const kept = previous && (await sealed.seal(client, keyId, place(channel, 'previous_tokens'), JSON.stringify(previous)))
  await client.query(
    `UPDATE credential SET access_token = $2, refresh_token = $3, previous_tokens = $4, expires_at = $5, version = $6, lease = NULL, lease_until = NULL,
       exchange_at = NULL, reconnect_required_at = NULL, reconnect_reason = NULL, updated_at = hub_now(),
       connected_at = CASE WHEN $4::bytea IS NULL THEN hub_now() ELSE connected_at END
     WHERE channel = $1`,
    [channel, access, refresh, kept, pair.expiresAt, version],
  )
  return { ...pair, version }
}

async function sealPair(
  client: PoolClient,
  sealed: Sealer,
  { channel, keyId, pair }: Pick<Write, 'channel' | 'keyId' | 'pair'>,
): Promise<{ access: Buffer; refresh: Buffer | null }> {
  return {
    access: await sealed.seal(client, keyId, place(channel, 'access_token'), pair.accessToken),
    refresh: pair.refreshToken === null ? null : await sealed.seal(client, keyId, place(channel, 'refresh_token'), pair.refreshToken),
  }
}

async function openPair(client: Pool | PoolClient, sealed: Sealer, row: Row): Promise<TokenPair | null> {
  const accessToken = await sealed.open(client, row.key_id, place(row.channel, 'access_token'), row.access_token)
  if (accessToken === null) return null
  const refreshToken = row.refresh_token && (await sealed.open(client, row.key_id, place(row.channel, 'refresh_token'), row.refresh_token))
  return { accessToken, refreshToken, expiresAt: row.expires_at, version: Number(row.version) }
}

const place = (channel: string, column: string): { table: string; row: string; column: string } => ({
  table: 'credential',
  row: channel,
  column,
})

async function pause(client: PoolClient, channel: string): Promise<void> {
  await client.query(`UPDATE channel SET paused_at = hub_now(), pause_cause = 'credentials-rejected' WHERE id = $1 AND paused_at IS NULL`, [
    channel,
  ])
}

// Only the pause that lost credentials made; one that a person or something else made stays.
async function unpause(client: PoolClient, channel: string): Promise<void> {
  await client.query(`UPDATE channel SET paused_at = NULL, pause_cause = NULL WHERE id = $1 AND pause_cause = 'credentials-rejected'`, [
    channel,
  ])
}

async function databaseTime(client: PoolClient): Promise<string> {
  const { rows } = await client.query<{ now: string }>('SELECT hub_now() AS now')
  return rows[0]?.now ?? ''
}
