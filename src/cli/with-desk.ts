import { userInfo } from 'node:os'
import { type Desk, openDesk } from '../desk.ts'
import { recorded } from '../flows/audited.ts'
import { type AuditIntent, type AuditOutcome, type Principal, SCOPES } from '../ports/audit.ts'
import { runningConfig } from './configuration.ts'
import { type CliContext, CliError } from './context.ts'
import { attachDatabase } from './database.ts'

/** Opens the desk of the running hub, runs `work` and closes it. Never starts anything. */
export async function withDesk<T>(context: CliContext, work: (desk: Desk) => Promise<T>): Promise<T> {
  const config = runningConfig(context)
  const { url } = await attachDatabase(config)
  const desk = await openDesk(config, url)
  try {
    return await work(desk)
  } finally {
    await desk.close()
  }
}

/** What the log keeps of a command that only reads. */
type ReadLog = Pick<AuditIntent, 'tool' | 'scopeUsed' | 'params'> & Partial<Pick<AuditOutcome, 'errorCode'>>

/** Reads, and writes the row of it before anything is printed. */
export async function recordedRead<T>(desk: Desk, read: () => Promise<T>, logOf: (answer: T) => ReadLog): Promise<T> {
  const elapsedMs = desk.clock.stopwatch()
  const answer = await read()
  const { errorCode, ...intent } = logOf(answer)
  const outcome = {
    ...(errorCode === undefined ? { result: 'ok' as const } : { result: 'error' as const, errorCode }),
    latencyMs: Math.round(elapsedMs()),
  }
  if (await recorded(desk, { principal: operatorAtTerminal(), ...intent }, outcome)) return answer
  throw new CliError('unaudited', 'the audit log cannot be written, so nothing is answered')
}

/** Who sits at this terminal: whoever may read the home folder's secrets may do everything, and is named in the audit log. */
export function operatorAtTerminal(): Principal {
  return { id: `cli:${userInfo().username}`, scopes: new Set(SCOPES), via: 'cli' }
}
