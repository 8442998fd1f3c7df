import type { Config } from '../config.ts'
import { whileLocked } from '../drivers/postgres/advisory-lock.ts'
import { connect, type Pool, type PoolClient } from '../drivers/postgres/pool.ts'
import { firstUnopened, forgetRetired, rotateDataKeys, type Unopened } from '../drivers/postgres/sealed-column.ts'
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
      const rotation = await rotateAudited(config, url, context)
      if (rotation.kind === 'refused') throw new CliError('refused', rotation.why)
      const { key, wrapped } = rotation
      context.print(
        options.json ? JSON.stringify({ key, wrapped }) : `${wrapped} data keys are wrapped under ${key}; the key before it is forgotten`,
      )
    })
}

type Rotation =
  | { kind: 'rotated'; key: string; wrapped: number }
  /** One sentence; what it names must be mended first. */
  | { kind: 'refused'; why: string }

async function rotateAudited(config: Config, url: string, context: CliContext): Promise<Rotation> {
  const desk = await openDesk(config, url)
  // One connection holds the lock and does the work, the other one looks whether the old key may go.
  const pool = connect({ url, role: 'rosh_worker', max: 2, applicationName: 'rosh rotate-keys' })
  try {
    const act = await audited(desk, {
      intent: { principal: operatorAtTerminal(), tool: 'rosh rotate-keys', scopeUsed: null, params: {}, mayLastMs: LONGEST_RUN_MS },
      run: () => rotate(config, pool, context),
      outcomeOf: ({ kind, ...effect }) => (kind === 'rotated' ? { result: 'ok', effect } : { result: 'denied', errorCode: 'refused' }),
    })
    if ('value' in act) return act.value
    throw new CliError('unaudited', 'the audit log cannot be written, so nothing was changed')
  } finally {
    await pool.end()
    await desk.close()
  }
}

// Two at once would each make a key of the same id, and what was wrapped under the one whose file was overwritten would open no more.
async function rotate(config: Config, pool: Pool, context: CliContext): Promise<Rotation> {
  const rotation = await whileLocked(pool, 'key rotation', (client) => rotateAlone({ config, client, pool, context }))
  return rotation ?? { kind: 'refused', why: 'another rotation of this database is under way; nothing was changed' }
}

interface Rotating {
  config: Config
  /** Holds the lock. */
  client: PoolClient
  pool: Pool
  context: CliContext
}

async function rotateAlone({ config, client, pool, context }: Rotating): Promise<Rotation> {
  const strange = await firstUnopened(client, keyRingOf(config))
  if (strange) return { kind: 'refused', why: `${opensNot(strange)}; nothing was changed` }
  // More than one key in the ring: an earlier run was ended before it was done, and its new key is the one to go on with.
  if (homeKeys(config.home).length === 1) addHomeKey(config.home)
  const ring = keyRingOf(config)
  for (let wrapped = 0; ; ) {
    const count = await rotateDataKeys(client, ring, BATCH)
    wrapped += count
    context.signal.throwIfAborted()
    if (count > 0) {
      context.progress(`${wrapped} data keys wrapped under ${ring.kekId}`)
      continue
    }
    const unopened = await forgetRetired(pool, ring, () => forgetOldHomeKeys(config.home))
    if (!unopened) return { kind: 'rotated', key: ring.kekId, wrapped }
    // One under another key was made while this run looked: it is wrapped in the next round.
    if (unopened.kekId === ring.kekId) return { kind: 'refused', why: `${opensNot(unopened)}; the key before is kept` }
  }
}

const opensNot = ({ id, kekId }: Unopened): string =>
  `data key ${id} is wrapped under a key ${kekId} that this home does not hold: put back the secrets.json that does`
