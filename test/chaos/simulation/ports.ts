import type { DesiredOrder } from '../../../src/core/desired.ts'
import { postgresAudit } from '../../../src/drivers/postgres/audit.ts'
import { postgresDeadLetters } from '../../../src/drivers/postgres/dead-letters.ts'
import { postgresFetchAttempts } from '../../../src/drivers/postgres/fetch-attempts.ts'
import { postgresInbox } from '../../../src/drivers/postgres/inbox.ts'
import { postgresOrderStore } from '../../../src/drivers/postgres/order-store.ts'
import { postgresOutbox } from '../../../src/drivers/postgres/outbox.ts'
import { personalVault } from '../../../src/drivers/postgres/personal.ts'
import { postgresReconcileStore } from '../../../src/drivers/postgres/reconcile-store.ts'
import { sealer } from '../../../src/drivers/postgres/sealed-column.ts'
import type { FetchAttempts } from '../../../src/ports/attempt-log.ts'
import type { Audit } from '../../../src/ports/audit.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { DeadLetters } from '../../../src/ports/dead-letters.ts'
import type { Erp } from '../../../src/ports/erp.ts'
import type { Inbox } from '../../../src/ports/inbox.ts'
import type { Marketplace } from '../../../src/ports/marketplace.ts'
import type { OrderStore } from '../../../src/ports/order-store.ts'
import type { Claim, Finish, Outbox } from '../../../src/ports/outbox.ts'
import type { ReconcileStore } from '../../../src/ports/reconcile-store.ts'
import { CHANNELS } from './channels.ts'
import { isShown } from './judge.ts'
import type { Life } from './life.ts'
import { erpOf, marketplaceOf } from './systems.ts'

export const MAX_TRIES = 4

/** What the flows of one life are given; every call of it takes its turn and may be the life's last. */
export interface Ports {
  outbox: Outbox
  store: OrderStore
  /** Records webhooks. */
  inbox: Inbox
  /** Claims events. */
  claims: Inbox
  attempts: FetchAttempts
  reconcile: ReconcileStore
  deadLetters: DeadLetters
  audit: Audit
  clock: Clock
  marketplaces: Marketplace[]
  erp: Erp
}

export function portsOf(life: Life): Ports {
  const { world, pools } = life
  const { worker, ingest, operator } = pools
  const vault = personalVault(worker, sealer({ kekId: 'simulation', key: new Uint8Array(32).fill(7) }))
  const outbox = postgresOutbox(worker, CHANNELS, {
    open: (keyId, orderId, bytes) => vault.open(keyId, orderId, bytes),
    unreadable: () => {},
  })
  const store = postgresOrderStore(worker, { plan: { channels: CHANNELS, rules: [] }, vault, maxTries: MAX_TRIES })
  const { defect } = world
  const inbox = gated(life, 'inbox', postgresInbox(ingest, { maxTries: MAX_TRIES }))
  return {
    outbox: watched(life, gated(life, 'outbox', defect.outbox?.(outbox, world) ?? outbox)),
    store: gated(life, 'store', defect.store?.(store, world) ?? store),
    inbox: defect.inbox?.(inbox, world) ?? inbox,
    claims: gated(life, 'claims', postgresInbox(worker, { maxTries: MAX_TRIES })),
    attempts: gated(life, 'attempts', postgresFetchAttempts(worker)),
    reconcile: gated(life, 'reconcile', postgresReconcileStore(worker, MAX_TRIES)),
    deadLetters: gated(life, 'dead letters', postgresDeadLetters(operator)),
    audit: gated(life, 'audit', postgresAudit(operator)),
    clock: { stopwatch: () => stopwatchOf(world.nowMs), wait: () => Promise.resolve() },
    marketplaces: world.markets.map((market) => marketplaceOf(life, market)),
    erp: erpOf(life, world.erp),
  }
}

function stopwatchOf(nowMs: () => number): () => number {
  const began = nowMs()
  return () => nowMs() - began
}

function gated<T extends object>(life: Life, name: string, port: T): T {
  const methods = Object.entries(port) as [string, (...given: unknown[]) => Promise<unknown>][]
  const inTurn = methods.map(([method, run]) => [
    method,
    (...given: unknown[]) => life.call(`${name}.${method}${subjectOf(given[0])}`, () => run(...given)),
  ])
  return Object.fromEntries(inTurn) as T
}

function subjectOf(first: unknown): string {
  if (typeof first === 'string') return ` ${first}`
  if (typeof first !== 'object' || first === null) return ''
  const { deliveryId, lease, resource } = first as Partial<Claim> & { resource?: string }
  return [deliveryId && `delivery ${deliveryId}`, resource, lease && `lease ${lease}`]
    .filter(Boolean)
    .map((word) => ` ${word}`)
    .join('')
}

/** Watches claims and finishes: a stale lease never completes (I11), and nothing is called delivered that is not there. */
function watched(life: Life, outbox: Outbox): Outbox {
  const { world } = life
  const given = <T extends Claim | null>(claim: T): T => {
    if (claim) world.leases.set(claim.deliveryId, claim.lease)
    return claim
  }
  return {
    ...outbox,
    claim: async (channel, limit) => (await outbox.claim(channel, limit)).map(given),
    claimSuspect: async (channel) => given(await outbox.claimSuspect(channel)),
    finish: async (claim, finish) => {
      const finished = await outbox.finish(claim, finish)
      if (finished === 'finished') proveFinish(life, claim, finish)
      return finished
    },
  }
}

function proveFinish({ world, name }: Life, { deliveryId, lease, wanted }: Claim, { settlement }: Finish): void {
  const newest = world.leases.get(deliveryId)
  if (newest !== lease) world.breach(`I11: ${name} finished delivery ${deliveryId} under lease ${lease}, and ${newest} was given out since`)
  if (settlement.state !== 'delivered' || settlement.reason === 'nothing-to-do') return
  if (!isShown(world, wanted.channel, wanted.reference, wanted.desired as DesiredOrder))
    world.breach(`delivery ${deliveryId} (${wanted.reference} at ${wanted.channel}) is called delivered, and is not there`)
}
