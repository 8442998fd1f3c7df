import type { Pool } from './pool.ts'

/**
 * Runs a statement that every connection plans once: where a call is many small look-ups, planning would cost more than reading. `name` stands for
 * this text alone. Behind a pooler in transaction mode it needs one that keeps prepared statements (PgBouncer 1.21 and later).
 */
export async function prepared<Row extends object>(pool: Pool, name: string, text: string, values: unknown[]): Promise<Row[]> {
  const { rows } = await pool.query<Row>({ name: `trace-${name}`, text, values })
  return rows
}
