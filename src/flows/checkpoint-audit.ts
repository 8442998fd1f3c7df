import type { AuditChain, CheckpointLog } from '../ports/audit-chain.ts'

export type Checkpointed =
  | { kind: 'signed'; seq: string }
  /** The first that was ever signed, over rows that stood before it: either nobody signed till now, or what was signed is lost. */
  | { kind: 'begun'; seq: string }
  /** Nothing was appended since the newest checkpoint. */
  | { kind: 'unchanged'; seq: string }
  /** The database no longer holds the row that was signed: nothing is signed from then on. */
  | { kind: 'broken'; seq: string }

/** Signs the head of the audit chain, when it still goes on from the newest checkpoint. */
export async function checkpointAudit(chain: AuditChain, log: CheckpointLog): Promise<Checkpointed> {
  const newest = await log.newest()
  const { head, hashThen } = await chain.head(newest?.seq ?? '0')
  if (newest && hashThen !== newest.hash) return { kind: 'broken', seq: newest.seq }
  if (newest?.seq === head.seq) return { kind: 'unchanged', seq: head.seq }
  await log.append(head)
  return { kind: newest === null && head.seq !== '0' ? 'begun' : 'signed', seq: head.seq }
}
