import { checkpointAudit } from '../flows/checkpoint-audit.ts'
import type { AuditChain, CheckpointLog } from '../ports/audit-chain.ts'
import type { Clock } from '../ports/clock.ts'
import { type Log, supervise, Wake } from '../supervise.ts'

export interface AuditCheckpoints {
  chain: AuditChain
  checkpoints: CheckpointLog
  clock: Clock
  log: Log
  everyMs: number
  progress(what: string): void
}

/** Signs the head of the audit chain from time to time, and says so loudly when the chain is no longer the one it signed. */
export async function runAuditCheckpoints(parts: AuditCheckpoints, signal: AbortSignal): Promise<void> {
  const { chain, checkpoints, clock, log, everyMs } = parts
  await supervise({ name: 'audit checkpoints', clock, log, wake: new Wake(), everyMs, signal }, async () => {
    const done = await checkpointAudit(chain, checkpoints)
    if (done.kind === 'signed' || done.kind === 'begun') parts.progress('audit checkpoint')
    if (done.kind === 'begun')
      log.error(
        { reason: `row ${done.seq}` },
        'the rows of the audit log up to here had no signed head: if this hub signed before, its file was removed; compare with the copy of it',
      )
    if (done.kind === 'broken')
      log.error(
        { reason: `row ${done.seq}` },
        'the audit log is not the one that was signed: run `rosh audit verify`; nothing more is signed',
      )
    return 'idle'
  })
}
