import { hostname } from 'node:os'
import type { Pool } from './pool.ts'

export interface Heartbeat {
  /** Says that the process lives and how far it got. `progress_at` moves only when `progress` differs from the last beat's: being up is not progress. */
  beat(progress: Record<string, string | number | boolean | null>): Promise<void>
}

/** The heartbeat of this process as one app. Needs a role that may write worker_heartbeat: worker, ingest or operator. */
export function heartbeat(pool: Pool, app: string, instance = `${hostname()}:${process.pid}`): Heartbeat {
  const id = `${app}@${instance}`
  return {
    beat: async (progress) => {
      await pool.query({
        name: 'heartbeat',
        text: `INSERT INTO worker_heartbeat AS h (id, app, progress_at, progress) VALUES ($1, $2, hub_now(), $3)
               ON CONFLICT (id) DO UPDATE SET beat_at = hub_now(), progress = excluded.progress,
                 progress_at = CASE WHEN h.progress = excluded.progress THEN h.progress_at ELSE hub_now() END`,
        values: [id, app, JSON.stringify(progress)],
      })
    },
  }
}
