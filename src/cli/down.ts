import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { lockHolder } from '../drivers/postgres/start-lock.ts'
import { homeFolder } from '../home.ts'
import { type CliContext, CliError, conclude, type Register } from './context.ts'

/** `rosh down`: what Ctrl-C does, from another terminal. */
export const registerDown: Register = (program, context) => {
  program
    .command('down')
    .description('stop the hub of this home and all that it started; the data stays')
    .option('--json', 'print one JSON object')
    .action((options: { json?: boolean }) => down(context, options.json))
}

const PATIENCE_MS = 60_000
const POLL_MS = 100

async function down(context: CliContext, json: boolean | undefined): Promise<void> {
  const { env, print, signal } = context
  const home = homeFolder(env)
  const path = join(home, 'up.lock')
  const pid = lockHolder(path)
  if (pid === undefined) throw new CliError('hub-not-running', `no hub runs in ${home}; nothing to stop`)
  process.kill(pid, 'SIGTERM')
  const giveUpMs = performance.now() + PATIENCE_MS
  while (lockHolder(path) === pid) {
    if (performance.now() > giveUpMs)
      throw new CliError('still-running', `the hub (process ${pid}) still runs after ${PATIENCE_MS / 1000} s`)
    await wait(POLL_MS, undefined, { signal })
  }
  const say = (): void => print('stopped; the data stays, the next start goes on with it')
  conclude(context, json, { data: { stopped: true, pid }, say })
}
