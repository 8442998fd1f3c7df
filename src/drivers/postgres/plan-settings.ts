import type { PlanSettings } from '../../core/desired.ts'
import type { Pool } from './pool.ts'

/** Keeps what the hub plans by, for whoever repairs from another process. Needs the role rosh_worker. */
export async function keepPlanSettings(pool: Pool, settings: PlanSettings): Promise<void> {
  await pool.query(
    `INSERT INTO plan_settings AS kept (settings) VALUES ($1)
     ON CONFLICT (single) DO UPDATE SET settings = excluded.settings, changed_at = hub_now() WHERE kept.settings <> excluded.settings`,
    [JSON.stringify(settings)],
  )
}

/** What the hub that started last on this database plans by; undefined before the first start. */
export async function keptPlanSettings(pool: Pool): Promise<PlanSettings | undefined> {
  const { rows } = await pool.query<{ settings: PlanSettings }>('SELECT settings FROM plan_settings')
  return rows[0]?.settings
}
