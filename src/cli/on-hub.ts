import { assemble, type Hub } from '../assembly.ts'
import type { Config } from '../config.ts'
import { accountsAdded } from '../drivers/postgres/channels.ts'
import { type Log, supervise, Wake } from '../supervise.ts'

export interface HubParts {
  config: Config
  databaseUrl: string
  log: Log
  signal: AbortSignal
  /** How often it is looked whether an account was connected, milliseconds. */
  everyMs?: number
}

const ACCOUNTS_EVERY_MS = 5_000

/**
 * Builds the hub and runs `part` on it until the signal aborts. When a person connected an account that the configuration does not name, `part` is stopped and
 * run again on a hub that has its channel: what it was doing waits in the database.
 */
export async function onHub(parts: HubParts, part: (hub: Hub, signal: AbortSignal) => Promise<void>): Promise<void> {
  while (await runOnce(parts, part)) parts.log.info({ app: 'hub' }, 'an account was connected: started anew with its channel')
}

/** Answers whether to build the hub anew. */
async function runOnce(parts: HubParts, part: (hub: Hub, signal: AbortSignal) => Promise<void>): Promise<boolean> {
  const hub = await assemble(parts.config, parts.databaseUrl, parts.log)
  const stopping = new AbortController()
  const signal = AbortSignal.any([parts.signal, stopping.signal])
  const watch = untilAccountAdded(hub, parts, signal)
  try {
    const added = watch.then((seen) => {
      if (seen) stopping.abort()
      return seen
    })
    await part(hub, signal)
    stopping.abort()
    return (await added) && !parts.signal.aborted
  } finally {
    stopping.abort()
    await watch
    await hub.close()
  }
}

async function untilAccountAdded(hub: Hub, { log, everyMs = ACCOUNTS_EVERY_MS }: HubParts, signal: AbortSignal): Promise<boolean> {
  const known = new Set(hub.config.file.mercadolibre.accounts)
  const seen = new AbortController()
  const loop = { name: 'accounts', clock: hub.clock, log, wake: new Wake(), everyMs, signal: AbortSignal.any([signal, seen.signal]) }
  await supervise(loop, async () => {
    const added = await accountsAdded(hub.pools.worker, 'mercadolibre')
    if (added.some((account) => !known.has(account))) seen.abort()
    return 'idle'
  })
  return seen.signal.aborted
}
