import { type Channel, leaseProblem } from '../../core/channel.ts'
import type { ChannelNames } from '../../ports/channel-names.ts'
import { type Pool, transaction } from './pool.ts'

/** What an account may be asked: requests a second, and the burst that may come at once. */
export interface ChannelRate {
  perSecond: number
  burst: number
}

/**
 * Makes the channel rows agree with the configuration: adds and updates those given, disables the others. What the gate learnt (pause, circuit,
 * limit) stays. Throws for a channel whose lease is not longer than timeout and margin. Needs the role rosh_worker.
 */
export async function syncChannels(
  pool: Pool,
  channels: readonly Channel[],
  rates: ReadonlyMap<string, ChannelRate> = new Map(),
): Promise<void> {
  for (const channel of channels) {
    const problem = leaseProblem(channel.timing)
    if (problem !== undefined) throw new Error(`channel ${channel.id}: ${problem}`)
  }
  const sorted = [...channels].sort((a, b) => (a.id < b.id ? -1 : 1))
  await transaction(pool, async (client) => {
    await client.query(UPSERT, [JSON.stringify(sorted.map((channel) => toRow(channel, rates.get(channel.id))))])
    await client.query('UPDATE channel SET enabled = false WHERE enabled AND NOT id = ANY($1::text[])', [sorted.map(({ id }) => id)])
  })
}

/** Accounts that were connected without being named in the configuration. */
export async function accountsAdded(pool: Pool, marketplace: 'mercadolibre'): Promise<string[]> {
  const { rows } = await pool.query<{ account_id: string }>(
    'SELECT account_id FROM channel WHERE added_by_auth AND marketplace = $1 ORDER BY account_id',
    [marketplace],
  )
  return rows.map((row) => row.account_id)
}

export function channelNames(pool: Pool): ChannelNames {
  return {
    async list() {
      return (await pool.query<{ id: string; marketplace: string }>('SELECT id, marketplace FROM channel ORDER BY id')).rows
    },
  }
}

function toRow(channel: Channel, rate: ChannelRate | undefined): Record<string, unknown> {
  const { id, marketplace, enabled, capabilities, shipsFrom, timing } = channel
  return {
    id,
    marketplace,
    account_id: id.slice(id.indexOf(':') + 1),
    enabled,
    settings: { capabilities, shipsFrom, timing },
    rate: rate?.perSecond ?? null,
    size: rate?.burst ?? null,
  }
}

// Writes a row only when its settings changed: a restart of every process must not touch what claims lock.
const UPSERT = `
  INSERT INTO channel AS c (id, marketplace, account_id, enabled, settings, bucket_rate, bucket_size, bucket_tokens)
  SELECT id, marketplace, account_id, enabled, settings, coalesce(rate, 200), coalesce(size, 400), coalesce(size, 400)
  FROM jsonb_to_recordset($1::jsonb) AS r(id text, marketplace text, account_id text, enabled boolean, settings jsonb, rate double precision, size double precision)
  ON CONFLICT (id) DO UPDATE SET
    marketplace = excluded.marketplace, account_id = excluded.account_id, enabled = excluded.enabled, settings = excluded.settings,
    bucket_rate = excluded.bucket_rate, bucket_size = excluded.bucket_size, bucket_tokens = least(c.bucket_tokens, excluded.bucket_size)
  WHERE (c.marketplace, c.account_id, c.enabled, c.settings, c.bucket_rate, c.bucket_size)
    IS DISTINCT FROM (excluded.marketplace, excluded.account_id, excluded.enabled, excluded.settings, excluded.bucket_rate, excluded.bucket_size)`
