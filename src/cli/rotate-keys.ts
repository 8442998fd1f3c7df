import type { Config } from '../config.ts'
import { connect, type Pool } from '../drivers/postgres/pool.ts'
import { rotateDataKeys, whenNoneUnderOthers } from '../drivers/postgres/sealed-column.ts'
import { audited } from '../flows/audited.ts'
import { addHomeKey, forgetOldHomeKeys, homeFolder, homeKeys, readInstance } from '../home.ts'
import { keyRingOf } from '../key-ring.ts'
import { openDesk } from '../desk.ts'
import { configOf } from './configuration.ts'
import { type CliContext, CliError, type Register } from './context.ts'
import { attachDatabase } from './database.ts'
import { operatorAtTerminal } from './with-desk.ts'

const BATCH = 200
/** Every order has a data key, and all are wrapped anew. */
const LONGEST_RUN_MS = 86_400_000

/** `rosh rotate-keys`: a new key-encryption key, every data key wrapped under it, the old one forgotten. Run again after a kill, it goes on. */
export const registerRotateKeys: Register = (program, context) => {
  program
    .command('rotate-keys')
    .description('replace the key that wraps stored tokens and personal fields; goes on where an earlier run was ended')
    .option('--json', 'print one JSON object')
    .action(async (options: { json?: boolean }) => {
      const config = configOf(context, { demo: readInstance(homeFolder(context.env))?.demo ?? false })
      const { url } = await attachDatabase(config)
      const done = await rotateAudited(config, url, context)
      context.print(
        options.json ? JSON.stringify(done) : `${done.wrapped} data keys are wrapped under ${done.key}; the key before it is forgotten`,
      )
    })
}

interface Rotated {
  key: string
  wrapped: number
}

async function rotateAudited(config: Config, url: string, context: CliContext): Promise<Rotated> {
  const desk = await openDesk(config, url)
  const pool = connect({ url, role: 'rosh_worker', max: 1, applicationName: 'rosh rotate-keys' })
  try {
    const act = await audited(desk, {
      intent: { principal: operatorAtTerminal(), tool: 'rosh rotate-keys', scopeUsed: null, params: {}, mayLastMs: LONGEST_RUN_MS },
      run: () => rotate(config, pool, context),
      outcomeOf: (done) => ({ result: 'ok', effect: { ...done } }),
    })
    if ('value' in act) return act.value
    throw new CliError('unaudited', 'the audit log cannot be written, so nothing was changed')
  } finally {
    await pool.end()
    await desk.close()
  }
}

async function rotate(config: Config, pool: Pool, context: CliContext): Promise<Rotated> {
  // More than one key in the ring: an earlier run was ended before it was done, and its new key is the one to go on with.
  if (homeKeys(config.home).length === 1) addHomeKey(config.home)
  const ring = keyRingOf(config)
  for (let wrapped = 0; ; ) {
    const count = await rotateDataKeys(pool, ring, BATCH)
    wrapped += count
    if (count > 0) context.progress(`${wrapped} data keys wrapped under ${ring.kekId}`)
    else if (await whenNoneUnderOthers(pool, ring.kekId, () => forgetOldHomeKeys(config.home))) return { key: ring.kekId, wrapped }
    context.signal.throwIfAborted()
  }
}
