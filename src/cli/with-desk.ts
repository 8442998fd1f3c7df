import { userInfo } from 'node:os'
import { type Desk, openDesk } from '../desk.ts'
import { type Principal, SCOPES } from '../ports/audit.ts'
import { runningConfig } from './configuration.ts'
import type { CliContext } from './context.ts'
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

/** Who sits at this terminal: whoever may read the home folder's secrets may do everything, and is named in the audit log. */
export function operatorAtTerminal(): Principal {
  return { id: `cli:${userInfo().username}`, scopes: new Set(SCOPES), via: 'cli' }
}
