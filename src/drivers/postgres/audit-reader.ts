import type { AuditChain, ChainHead, ChainRow } from '../../ports/audit-chain.ts'
import type { Pool } from './pool.ts'

/** The audit chain as it stands. Needs the role rosh_auditor. */
export function postgresAuditChain(pool: Pool): AuditChain {
  return { rows: () => rows(pool), head: (seq) => head(pool, seq) }
}

const PAGE_OF_ROWS = `
  SELECT seq::text AS seq, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, actor, body, encode(prev, 'hex') AS prev,
    encode(hash, 'hex') AS hash
  FROM audit WHERE audit.seq > $1 ORDER BY audit.seq LIMIT 1000`

async function* rows(pool: Pool): AsyncGenerator<ChainRow> {
  for (let after = '0'; ; ) {
    const page = await pool.query<ChainRow>(PAGE_OF_ROWS, [after])
    yield* page.rows
    const last = page.rows.at(-1)
    if (last === undefined) return
    after = last.seq
  }
}

async function head(pool: Pool, seq: string): ReturnType<AuditChain['head']> {
  const found = await pool.query<ChainHead & { then: string | null }>(
    `SELECT seq::text AS seq, encode(hash, 'hex') AS hash, hub_now() AS at,
       CASE WHEN $1 = '0' THEN encode(sha256(''::bytea), 'hex') ELSE (SELECT encode(a.hash, 'hex') FROM audit a WHERE a.seq = $1::bigint) END AS then
     FROM audit_head`,
    [seq],
  )
  const [row] = found.rows
  if (!row) throw new Error('the audit log has no head')
  return { head: { seq: row.seq, hash: row.hash, at: row.at }, hashThen: row.then }
}
