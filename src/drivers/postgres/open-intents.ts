import { canonicalJson } from '../../core/canonical-json.ts'
import type { IntentEvidence, ProvenOutcome } from '../../core/intent-outcome.ts'
import type { OpenIntents } from '../../ports/open-intents.ts'
import { isSecondOutcome } from './audit.ts'
import { type Pool, type PoolClient, transaction } from './pool.ts'

/**
 * How long an act may last that says nothing else in its intent. The longest one is the retry of an order: it puts dead letters back, reads the ERP again
 * for 20 s and plans; each of its some dozen statements ends after 15 s at the latest, so it lasts under four minutes.
 */
const LONGEST_ACT_MS = 600_000

/** Open intents over PostgreSQL. Needs the role rosh_operator. */
export function postgresOpenIntents(pool: Pool): OpenIntents {
  return {
    overdue: (limit) => overdue(pool, limit),
    close: (operationId, outcomeOf) => transaction(pool, (client) => close(client, operationId, outcomeOf)).catch(orNull),
  }
}

async function overdue(pool: Pool, limit: number): Promise<string[]> {
  const { rows } = await pool.query<{ operation_id: string }>({
    name: 'overdue-intents',
    text: `
      SELECT o.operation_id FROM open_intent o JOIN audit i ON i.seq = o.seq
      WHERE i.at < hub_now() - coalesce(((i.body::jsonb) ->> 'may_last_ms')::bigint, $1) * interval '1 ms'
      ORDER BY o.seq LIMIT $2`,
    values: [LONGEST_ACT_MS, limit],
  })
  return rows.map((row) => row.operation_id)
}

async function close(
  client: PoolClient,
  operationId: string,
  outcomeOf: (evidence: IntentEvidence) => ProvenOutcome,
): Promise<ProvenOutcome | null> {
  // Waits for an effect that is about to commit; one that comes later finds the outcome and changes nothing.
  await client.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [operationId])
  const evidence = await evidenceOf(client, operationId)
  if (!evidence) return null
  const outcome = outcomeOf(evidence)
  const { result, ...more } = outcome
  const told = 'effect' in more ? { effect: more.effect } : { error_code: more.errorCode }
  const body = canonicalJson({ phase: 'outcome', operation_id: operationId, resolved: true, result, ...told })
  // No ON CONFLICT: it would keep what the chain's trigger did to the head, and no row with it.
  await client.query(`INSERT INTO audit (actor, body) VALUES ('hub', $1)`, [body])
  return outcome
}

// Its own process wrote the outcome between the look and the insert.
function orNull(error: unknown): null {
  if (isSecondOutcome(error)) return null
  throw error
}

async function evidenceOf(client: PoolClient, operationId: string): Promise<IntentEvidence | null> {
  const { rows } = await client.query<IntentEvidence>(
    `SELECT coalesce(((i.body::jsonb) ->> 'noted')::boolean, false) AS "isNoted", e.effect
     FROM open_intent o JOIN audit i ON i.seq = o.seq LEFT JOIN operation_effect e ON e.operation_id = o.operation_id
     WHERE o.operation_id = $1`,
    [operationId],
  )
  return rows[0] ?? null
}
