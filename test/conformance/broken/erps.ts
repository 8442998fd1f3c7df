// Over 300 lines because the broken ERPs are one table, a row for each promise, so that none is silently missing.
import { IntegrationError } from '../../../src/core/integration-error.ts'
import type { Erp, ErpVersion } from '../../../src/ports/erp.ts'
import type { Shown } from '../../../src/ports/target.ts'
import { type MemoryErpWorld, memoryErpWorld } from '../memory-erp-world.ts'
import type { Broken } from './broken.ts'

/** The ERP in memory with some of its methods replaced. */
function changed(change: (erp: Erp, world: MemoryErpWorld) => Partial<Erp>): MemoryErpWorld {
  const world = memoryErpWorld()
  return {
    ...world,
    async open(options) {
      const erp = await world.open(options)
      return { ...erp, ...change(erp, world) }
    },
  }
}

const HOUR_MS = 3_600_000
const moved = (version: string, ms: number): string => new Date(Date.parse(version) + ms).toISOString()
const plain = (error: unknown): never => {
  throw new Error('it failed', { cause: error })
}

/** For each promise of `ports/erp.ts` that can be seen from outside, and those of a Target that an ERP keeps in its own way. */
export const BROKEN_ERPS: Broken<MemoryErpWorld>[] = [
  {
    breaks: 'Erp.serverTime: the server’s own time, an ISO instant',
    red: ['the time is the server’s own'],
    make: () => changed((erp) => ({ serverTime: async (signal) => moved(await erp.serverTime(signal), -HOUR_MS) })),
  },
  {
    breaks: 'Erp.changedOrders: the orders whose version lies in [from, to], both ends included',
    red: ['an order is in the window that its version lies in, and in no other'],
    make: () => changed((erp) => ({ changedOrders: (from, to, signal) => erp.changedOrders(moved(from, 1), to, signal) })),
  },
  {
    breaks: 'Erp.changedOrders: no order outside the window',
    red: ['an order is in the window that its version lies in, and in no other'],
    make: () =>
      changed((erp) => ({ changedOrders: (from, _to, signal) => erp.changedOrders(moved(from, -HOUR_MS), moved(from, HOUR_MS), signal) })),
  },
  {
    breaks: 'Erp.changedOrders: all pages',
    red: ['an order is in the window that its version lies in, and in no other'],
    make: () => changed((erp) => ({ changedOrders: async (...all) => (await erp.changedOrders(...all)).slice(0, 0) })),
  },
  {
    breaks: 'ErpVersion.version: the version that reading shows',
    red: ['the id-set knows every order created since, at the version that reading shows'],
    make: () =>
      changed((erp) => ({
        orderVersionsSince: async (...all) =>
          (await erp.orderVersionsSince(...all)).map((one): ErpVersion => ({ ...one, version: moved(one.version, 1_000) })),
      })),
  },
  {
    breaks: 'Erp.doubledOrders: orders that share origin and reference',
    red: ['an order that a person made again under one reference is counted with both ids, until one is cancelled'],
    make: () => changed(() => ({ doubledOrders: () => Promise.resolve([]) })),
  },
  {
    breaks: 'ErpDoubled.erpIds: every one of them',
    red: ['an order that a person made again under one reference is counted with both ids, until one is cancelled'],
    make: () =>
      changed((erp) => ({
        doubledOrders: async (...all) => (await erp.doubledOrders(...all)).map((one) => ({ ...one, erpIds: one.erpIds.slice(1) })),
      })),
  },
  {
    breaks: 'Erp.orderVersionsSince: every order created since, whatever its version',
    red: ['the id-set knows every order created since, at the version that reading shows'],
    make: () => changed((erp) => ({ orderVersionsSince: async (...all) => (await erp.orderVersionsSince(...all)).slice(1) })),
  },
  {
    breaks: 'Erp.readOrders: one bad record never spoils the batch',
    red: ['one bad record waits for a person and the rest of the batch flows'],
    make: () =>
      changed((erp) => ({
        async readOrders(...all) {
          const batch = await erp.readOrders(...all)
          if (batch.quarantined.length > 0) throw new IntegrationError('malformed-response', { summary: 'a record is odd' })
          return batch
        },
      })),
  },
  {
    breaks: 'Fragment.createdAt: it never moves',
    red: ['an order says when it was created, and no change moves that'],
    make: () =>
      changed((erp) => ({
        async readOrders(...all) {
          const batch = await erp.readOrders(...all)
          const orders = batch.orders.map((one) => ({ ...one, fragment: { ...one.fragment, createdAt: one.fragment.version ?? '' } }))
          return { ...batch, orders }
        },
      })),
  },
  {
    breaks: 'ErpBatch.missing: ids that were asked for and are not readable',
    red: ['one bad record waits for a person and the rest of the batch flows'],
    make: () => changed((erp) => ({ readOrders: async (...all) => ({ ...(await erp.readOrders(...all)), missing: [] }) })),
  },
  {
    breaks: 'ErpQuarantined: that order waits, with the field named',
    red: ['one bad record waits for a person and the rest of the batch flows'],
    make: () => changed((erp) => ({ readOrders: async (...all) => ({ ...(await erp.readOrders(...all)), quarantined: [] }) })),
  },
  {
    breaks: 'Erp.readOrders: at most 200 ids a call',
    red: ['more ids than a batch takes are refused before a request'],
    make: () => changed((erp) => ({ readOrders: (ids, signal) => erp.readOrders(ids.slice(0, 200), signal) })),
  },
  {
    breaks: 'Erp: what the hub created is no order of the ERP',
    red: ['what the hub created is no order of the ERP, and a person’s order with such an origin is one'],
    make: () =>
      changed((erp, { book }) => ({
        orderVersionsSince: () => Promise.resolve([...book.orders.values()].map(({ id, version }) => ({ erpId: id, version }))),
        readOrders: erp.readOrders,
      })),
  },
  {
    breaks: 'Erp.changedPickings: of these channels alone, as they stand now',
    red: ['the deliveries of orders the hub created are told for their channel: ready, shipped, with the tracking number'],
    make: () =>
      changed((erp) => ({
        changedPickings: (window, signal) => erp.changedPickings({ ...window, origins: ['mercadolibre:1001'] }, signal),
      })),
  },
  {
    breaks: 'Erp.changedStock: the SKUs that may have moved, with the quantity now',
    red: ['stock that moved is told with the free pieces of now'],
    make: () =>
      changed((erp, { book }) => ({
        changedStock: async (...all) =>
          (await erp.changedStock(...all)).map((one) => ({ ...one, quantity: book.products.get(one.sku)?.onHand ?? 0 })),
      })),
  },
  {
    breaks: 'Erp.changedStock: in the window',
    red: ['stock that moved is told with the free pieces of now'],
    make: () => changed((erp) => ({ changedStock: (_from, to, signal) => erp.changedStock(moved(to, -3 * HOUR_MS), to, signal) })),
  },
  {
    breaks: 'Erp.find: by id, name or client reference',
    red: ['an order is found by every name a person may type, and nothing else is'],
    make: () => changed((erp) => ({ find: (typed, signal) => erp.find(typed.toLowerCase().includes('odoo') ? typed : '', signal) })),
  },
  {
    breaks: 'Erp.find: nothing that was not asked for',
    red: ['an order is found by every name a person may type, and nothing else is'],
    make: () =>
      changed((erp) => ({ find: async (typed, signal) => [...(await erp.find(typed, signal)), ...(await erp.find('S00001', signal))] })),
  },
  {
    breaks: 'Erp.health: what it is and what is wrong with it',
    red: ['it tells what it is and what is wrong with it'],
    make: () => changed((erp) => ({ health: async (signal) => ({ ...(await erp.health(signal)), problems: ['something'] }) })),
  },
  {
    breaks: 'Target.looksFirst: a person may have created it',
    red: ['it is created, checked and confirmed, and nothing is left to do after it'],
    make: () => changed(() => ({ looksFirst: false })),
  },
  {
    breaks: 'Target.lookUp: an id of another order proves nothing',
    red: ['an id that now names another order proves nothing'],
    make: () =>
      changed((erp, { book }) => ({
        async lookUp(wanted, log, signal): Promise<Shown> {
          const reference = book.orders.get(wanted.externalId ?? '')?.reference ?? wanted.reference
          return erp.lookUp({ ...wanted, reference }, log, signal)
        },
      })),
  },
  {
    breaks: 'Target.next: never there and cancelled needs nothing',
    red: ['one that was cancelled before it was ever there is not created'],
    make: () =>
      changed((erp) => ({
        next: (wanted, shown) => (shown.kind === 'absent' ? { kind: 'send', operation: 'create' } : erp.next(wanted, shown)),
      })),
  },
  {
    breaks: 'Target.next: an order that adds up to something else waits for a person',
    red: ['an order that adds up to something else is never confirmed'],
    make: () =>
      changed((erp) => ({
        next(wanted, shown) {
          const step = erp.next(wanted, shown)
          return step.kind === 'refused' && step.cause === 'totals-mismatch' ? { kind: 'send', operation: 'confirm' } : step
        },
      })),
  },
  {
    breaks: 'Target.next: a person’s edit stands',
    red: ['a person’s edit before the confirmation stops it and stays', 'a cancellation after the delivery waits for a person'],
    make: () =>
      changed((erp) => ({
        next(wanted, shown) {
          const step = erp.next(wanted, shown)
          return step.kind === 'refused' && step.cause === 'erp-conflict' ? { kind: 'done', reason: 'already-there' } : step
        },
      })),
  },
  {
    breaks: 'Target.next: decided from what the target shows, so that nothing is said twice',
    red: ['a status is posted once, and again only when it changed'],
    make: () =>
      changed((erp) => ({
        next(wanted, shown) {
          if (shown.kind === 'absent') return erp.next(wanted, shown)
          return erp.next(wanted, { ...shown, content: { ...shown.content, extra: { ...shown.content.extra, told: null } } })
        },
      })),
  },
  {
    breaks: 'Target.send: a line is appended under an id of its own, so that a second send finds it',
    red: ['an append that is sent again, by whoever saw it missing, leaves one line'],
    make: () =>
      changed((erp) => ({
        send(wanted, operation, ...rest) {
          if (operation !== 'update' || wanted.desired.kind === 'stock') return erp.send(wanted, operation, ...rest)
          const [first, ...late] = wanted.desired.lines
          const lines = [...(first ? [first] : []), ...late.map((line) => ({ ...line, lineId: `${line.lineId}-${Math.random()}` }))]
          return erp.send({ ...wanted, desired: { ...wanted.desired, lines } }, operation, ...rest)
        },
      })),
  },
  {
    breaks: 'Target.next: a late line is appended, and only where no person changed the order',
    red: ['a late order of the pack is appended to the confirmed one, with its delivery, once'],
    make: () =>
      changed((erp) => ({
        next(wanted, shown) {
          const step = erp.next(wanted, shown)
          return step.kind === 'send' && step.operation === 'update' ? { kind: 'unsupported', operation: 'update' } : step
        },
      })),
  },
  {
    breaks: 'Target.next: a person’s edit stands when the pack grows',
    red: ['an order that a person changed is left alone'],
    make: () =>
      changed((erp) => ({
        next(wanted, shown) {
          const step = erp.next(wanted, shown)
          const isConflict = step.kind === 'refused' && step.cause === 'erp-conflict'
          return isConflict && wanted.version > 1 ? { kind: 'send', operation: 'update' } : step
        },
      })),
  },
  {
    breaks: 'Target.next: totals are asserted again after an append',
    red: ['what then adds up to something else waits for a person'],
    make: () =>
      changed((erp) => ({
        next(wanted, shown) {
          const step = erp.next(wanted, shown)
          return step.kind === 'refused' && step.cause === 'totals-mismatch' ? { kind: 'done', reason: 'already-there' } : step
        },
      })),
  },
  {
    breaks: 'Target.next: a cancelled line goes to quantity 0, unless it is delivered',
    red: [
      'a cancelled order of the pack goes to quantity 0, and what its delivery still holds is for a person',
      'one that is delivered already is not taken back',
    ],
    make: () =>
      changed((erp) => ({
        next(wanted, shown) {
          const step = erp.next(wanted, shown)
          const isLess = wanted.desired.kind === 'order' && wanted.desired.lines.length === 1 && wanted.version > 1
          return isLess && step.kind !== 'done' ? { kind: 'done', reason: 'already-there' } : step
        },
      })),
  },
  {
    breaks: 'Target.send: exactly one request',
    red: ['a status is posted once, and again only when it changed'],
    make: () =>
      changed((erp) => ({
        async send(...all) {
          await erp.send(...all)
          return all[1] === 'create' ? { externalId: null, shown: null } : erp.send(...all)
        },
      })),
  },
  {
    breaks: 'Target.send: asks whether it is late right before the first byte',
    red: ['a create whose time is over before its first byte is unreachable, and nothing is there'],
    make: () =>
      changed((erp) => ({ send: (wanted, operation, shown, requestId, signal) => erp.send(wanted, operation, shown, requestId, signal) })),
  },
  {
    breaks: 'Target.send: throws an IntegrationError, whose code and cause are right',
    red: [
      'a SKU that names no product is refused, named, by one request that proves it',
      'five creates of one order at once leave one order',
    ],
    make: () => changed((erp) => ({ send: (...all) => erp.send(...all).catch(plain) })),
  },
  {
    breaks: 'Erp: a refused credential is unauthorized, a failure is an IntegrationError',
    red: [
      'a wrong credential is unauthorized, and a database that is not there is unavailable',
      'an aborted call ends as a failure of its own, not as a bug',
    ],
    make: () => changed((erp) => ({ find: (...all) => erp.find(...all).catch(plain) })),
  },
  {
    breaks: 'Erp: a Target that takes no stock',
    red: ['stock is nothing the ERP is told'],
    make: () => changed(() => ({ next: () => ({ kind: 'done', reason: 'already-there' }) })),
  },
]
