import type { Pool } from './pool.ts'

/** Where a reading without a configured start begins: `spanMs` before it was first asked, kept beside the cursors, since it is one. ISO instant. */
export async function keptStart(pool: Pool, name: string, spanMs: number): Promise<string> {
  await pool.query(
    `INSERT INTO cursor (name, position, moved_at)
     VALUES ($1, jsonb_build_object('watermark', to_jsonb(hub_now() - $2 * interval '1 ms')), hub_now()) ON CONFLICT (name) DO NOTHING`,
    [name, spanMs],
  )
  const { rows } = await pool.query<{ since: string }>(`SELECT position ->> 'watermark' AS since FROM cursor WHERE name = $1`, [name])
  return new Date(rows[0]?.since ?? '').toISOString()
}
