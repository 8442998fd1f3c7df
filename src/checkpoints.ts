import { join } from 'node:path'
import type { Config } from './config.ts'
import { checkpointKey, type CheckpointKey } from './drivers/audit-chain.ts'
import { checkpointFile } from './drivers/audit-files.ts'
import type { CheckpointLog } from './ports/audit-chain.ts'

/** Where the signed heads of this configuration's audit log stand: one file a database, since each has a chain of its own. */
export function checkpointPath(config: Config): string {
  const url = config.databaseUrl && new URL(config.databaseUrl.reveal())
  // The usual port is left out: files of older releases have none.
  const port = url?.port && url.port !== '5432' ? `-${url.port}` : ''
  const name = url ? `${url.hostname}${port}-${url.pathname.slice(1)}`.replace(/[^A-Za-z0-9._-]/g, '_') : 'embedded'
  return join(config.home, 'audit-checkpoints', `${name}.jsonl`)
}

export function signingKey(seed: string): CheckpointKey {
  return checkpointKey(Buffer.from(seed, 'base64url'))
}

export function checkpointsOf(config: Config): CheckpointLog {
  return checkpointFile(checkpointPath(config), signingKey(config.secrets.auditSigningKey))
}
