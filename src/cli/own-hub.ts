import { join } from 'node:path'
import type { Config } from '../config.ts'
import { lockHolder } from '../drivers/postgres/start-lock.ts'
import { homeFolder, readInstance } from '../home.ts'
import { runningConfig } from './configuration.ts'
import { type CliContext, CliError } from './context.ts'

/**
 * The configuration of the hub that runs in this home, for what acts on its simulators. Throws `hub-not-running` where none does: on the usual ports
 * another home's hub may be, and its simulators would be filled, and told to call a hub that is not theirs.
 */
export function ownHub(context: CliContext): Config {
  const home = homeFolder(context.env)
  const holder = lockHolder(join(home, 'up.lock'))
  if (holder !== undefined && readInstance(home)?.pid === holder) return runningConfig(context)
  throw new CliError(
    'hub-not-running',
    `hub-not-running: no hub runs in ${home}; start it with \`npm start\` or \`rosh up\`, or set ROSH_HOME to its home`,
  )
}
