import { OperationClosed } from '../../core/operation-closed.ts'
import type { PoolClient } from './pool.ts'

/**
 * Notes what an operation changed, as the last act of the transaction that changes it. Throws `OperationClosed` when its intent has an outcome
 * already: then the change must not commit, since the log says how the operation ended.
 */
export async function noteEffect(client: PoolClient, operationId: string, effect: Record<string, unknown>): Promise<void> {
  // Shared: whoever closes the intent waits for this transaction, or was before it and is seen by the next statement.
  await client.query(`SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))`, [operationId])
  const { rowCount } = await client.query(
    `INSERT INTO operation_effect (operation_id, effect)
     SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM audit WHERE operation_id = $1 AND phase = 'outcome')`,
    [operationId, JSON.stringify(effect)],
  )
  if (rowCount !== 1) throw new OperationClosed(operationId)
}
