import { IntegrationError } from '../../../src/core/integration-error.ts'
import { type MemoryWorld, memoryWorld } from '../memory-world.ts'
import { type Broken, type Change, changed } from './broken.ts'

const never = new AbortController().signal
function incapable(change: Change): MemoryWorld {
  const world = memoryWorld()
  return { ...world, incapable: { ...world.incapable, ...change(world.incapable, world) } }
}

// Says that its list shows changes, as Paris's would seem to while every order is young.
function listsByCreation(): MemoryWorld {
  const createdMs = new Map<string, number>()
  const world = changed((m) => ({
    async listChanged(sinceIso, ...rest) {
      const page = await m.listChanged(sinceIso, ...rest)
      return { ...page, resources: page.resources.filter(({ orderKey }) => (createdMs.get(orderKey) ?? 0) >= Date.parse(sinceIso)) }
    },
  }))
  return {
    ...world,
    async buy(lines) {
      if (!world.buy) throw new Error('nobody buys here')
      const bought = await world.buy(lines)
      createdMs.set(bought.orderKey, Date.now())
      return bought
    },
  }
}

/** For each promise of `ports/marketplace.ts` that can be seen from outside, a marketplace that breaks it. */
export const BROKEN_SOURCES: Broken<MemoryWorld>[] = [
  {
    breaks: 'Fetched: fragments of one canonical order',
    red: ['a fetched order is fragments of one sale, each valid, without personal data'],
    make: () =>
      changed((m) => ({
        async fetchOrder(...all) {
          const fetched = await m.fetchOrder(...all)
          return { ...fetched, fragments: fetched.fragments.map((one) => ({ ...one, orderKey: one.externalId })) }
        },
      })),
  },
  {
    breaks: 'Fetched: personal data stands apart',
    red: ['a fetched order is fragments of one sale, each valid, without personal data'],
    make: () =>
      changed((m) => ({
        async fetchOrder(...all) {
          const fetched = await m.fetchOrder(...all)
          return { ...fetched, fragments: fetched.fragments.map((one) => ({ ...one, rawStatus: fetched.personal?.buyerName ?? '' })) }
        },
      })),
  },
  {
    breaks: 'Fragment.version: the source’s own version, never the time of the fetch',
    red: ['two fetches of an order that did not change are equal'],
    make: () => {
      let fetches = 0
      return changed((m) => ({
        async fetchOrder(...all) {
          fetches += 1
          const version = new Date(Date.now() + fetches).toISOString()
          const fetched = await m.fetchOrder(...all)
          return { ...fetched, fragments: fetched.fragments.map((one) => ({ ...one, version })) }
        },
      }))
    },
  },
  {
    breaks: 'Marketplace.fetchOrder: every part of the same order that belongs to it',
    red: ['a fetch brings everything that belongs to the sale'],
    make: () =>
      changed((m) => ({
        async fetchOrder(...all) {
          const fetched = await m.fetchOrder(...all)
          return { ...fetched, fragments: fetched.fragments.slice(0, 1) }
        },
      })),
  },
  {
    breaks: 'Marketplace.fetchOrder: every request is an attempt (AttemptLog)',
    red: ['every request of a fetch is an attempt of its own'],
    make: () =>
      changed((m) => ({
        fetchOrder: (resource, _log, signal) => m.fetchOrder(resource, { read: (_operation, call) => call(crypto.randomUUID()) }, signal),
      })),
  },
  {
    breaks: 'Marketplace.fetchOrder: the URL is built from a whitelist, never from the pointer’s text',
    red: ['a pointer that is none leads to no request'],
    make: () =>
      changed((m, world) => ({
        async fetchOrder(resource, log, signal) {
          await log.read('fetch whatever it says', (requestId) =>
            Promise.resolve(world.memory.requests.push({ requestId, what: resource })),
          )
          return m.fetchOrder(resource, log, signal)
        },
      })),
  },
  {
    breaks: 'Marketplace.fetchOrder: throws not-found when the marketplace does not show it',
    red: ['an order that is not there is not found'],
    make: () =>
      changed((m) => ({
        fetchOrder: (...all) => m.fetchOrder(...all).catch(() => ({ orderKey: '1', fragments: [], personal: null })),
      })),
  },
  {
    breaks: 'Marketplace.fetchOrder: a failure is an IntegrationError with the wait that was asked for',
    red: ['how long it was asked to wait is told'],
    make: () =>
      changed((m) => ({
        fetchOrder: (...all) =>
          m.fetchOrder(...all).catch((error: unknown) => {
            throw error instanceof IntegrationError ? new IntegrationError(error.code, { summary: 'it failed' }) : error
          }),
      })),
  },
  {
    breaks: 'Marketplace.fetchOrder: a failure is an IntegrationError',
    red: ['a failed fetch is an integration error too'],
    make: () =>
      changed((m) => ({
        fetchOrder: (...all) =>
          m.fetchOrder(...all).catch((error: unknown) => {
            throw new Error('it failed', { cause: error })
          }),
      })),
  },
  {
    breaks: 'Marketplace.fetchOrder: ends when its signal says so',
    red: ['a call that is aborted ends as an integration error'],
    make: () => changed((m) => ({ fetchOrder: (resource, log) => m.fetchOrder(resource, log, never) })),
  },
  {
    breaks: 'Marketplace.fetchOrder: shows what the marketplace cancelled',
    red: ['an order that the marketplace cancelled is fetched as cancelled, under no older version'],
    make: () =>
      changed((m) => ({
        async fetchOrder(...all) {
          const fetched = await m.fetchOrder(...all)
          return { ...fetched, fragments: fetched.fragments.map((one) => ({ ...one, lifecycle: 'open' as const })) }
        },
      })),
  },
  {
    breaks: 'Marketplace.listChanged: cancelled ones included',
    red: ['a sweep pages to its end and holds every changed order, cancelled ones too'],
    make: () =>
      changed((m, world) => ({
        async listChanged(...all) {
          const page = await m.listChanged(...all)
          return { ...page, resources: page.resources.filter((one) => !world.memory.orders.get(one.orderKey)?.cancelled) }
        },
      })),
  },
  {
    breaks: 'Marketplace.listsChanges: false where only what was created since is listed',
    red: ['a change of an older order is in the list of changes, where it says that the list has them, and at the order’s own pointer'],
    make: listsByCreation,
  },
  {
    breaks: 'Marketplace.listChanged: pages until next is null',
    red: ['a sweep pages to its end and holds every changed order, cancelled ones too'],
    make: () => changed((m) => ({ listChanged: async (...all) => ({ ...(await m.listChanged(...all)), next: null }) })),
  },
  {
    breaks: 'SweepPage.next: null when this was the last page',
    red: ['a sweep pages to its end and holds every changed order, cancelled ones too'],
    make: () => changed((m) => ({ listChanged: async (...all) => ({ ...(await m.listChanged(...all)), next: all[1] ?? '0' }) })),
  },
  {
    breaks: 'SweepPage.resources: oldest first',
    red: ['a sweep pages to its end and holds every changed order, cancelled ones too'],
    make: () =>
      changed((m) => ({
        async listChanged(...all) {
          const page = await m.listChanged(...all)
          return { ...page, resources: page.resources.toReversed() }
        },
      })),
  },
  {
    breaks: 'SweepPage.resources: pointers that fetchOrder takes',
    red: ['a sweep pages to its end and holds every changed order, cancelled ones too'],
    make: () =>
      changed((m) => ({
        async listChanged(...all) {
          const page = await m.listChanged(...all)
          return { ...page, resources: page.resources.map((one) => ({ ...one, resource: one.orderKey })) }
        },
      })),
  },
  {
    breaks: 'Marketplace.listChanged: a failure is an IntegrationError, never an empty page',
    red: ['a failed sweep is an integration error too'],
    make: () => changed((m) => ({ listChanged: (...all) => m.listChanged(...all).catch(() => ({ resources: [], next: null })) })),
  },
  {
    breaks: 'Marketplace.missedEvents: empty where it keeps none',
    red: ['events it could not deliver are events, or none'],
    make: () =>
      changed(() => ({ missedEvents: () => Promise.resolve({ kind: 'refused', verdict: 'malformed', reason: 'there is no list' }) })),
  },
  {
    breaks: 'Marketplace.capabilities: what they leave out is said before any request',
    red: ['what its capabilities leave out is said before any request'],
    make: () => incapable((_m, world) => ({ send: world.memory.send, next: world.memory.next })),
  },
]
