import type { Pool } from './pool.ts'

export interface KeyUse {
  source: string
  keyId: string
  firstUsedAt: string
  lastUsedAt: string
}

export interface KeyUseLog {
  /** Notes that a request was proved by this key. Never waits and never throws: a webhook is not refused because of it. */
  note(source: string, keyId: string): void
  /** Resolves when everything noted so far is written or given up. */
  drain(): Promise<void>
}

const WRITE_EVERY_MS = 60_000

/** Last use of every webhook key, written at most once a minute a key. Needs the role rosh_ingest. */
export function keyUseLog(pool: Pool, onError: (error: unknown) => void): KeyUseLog {
  const writtenAtMs = new Map<string, number>()
  let writing: Promise<unknown> = Promise.resolve()
  return {
    note: (source, keyId) => {
      const key = `${source} ${keyId}`
      const nowMs = performance.now()
      if (nowMs - (writtenAtMs.get(key) ?? -Infinity) < WRITE_EVERY_MS) return
      writtenAtMs.set(key, nowMs)
      writing = Promise.all([writing, write(pool, source, keyId).catch(onError)])
    },
    drain: async () => void (await writing),
  }
}

async function write(pool: Pool, source: string, keyId: string): Promise<void> {
  await pool.query(
    `INSERT INTO webhook_key_use AS u (source, key_id) VALUES ($1, $2)
     ON CONFLICT (source, key_id) DO UPDATE SET last_used_at = greatest(u.last_used_at, hub_now())`,
    [source, keyId],
  )
}

/** Every use that was noted, newest last. Needs the role rosh_reader. */
export async function keyUses(pool: Pool): Promise<KeyUse[]> {
  const { rows } = await pool.query<KeyUse>(
    `SELECT source, key_id AS "keyId", first_used_at AS "firstUsedAt", last_used_at AS "lastUsedAt" FROM webhook_key_use ORDER BY source, last_used_at`,
  )
  return rows
}
