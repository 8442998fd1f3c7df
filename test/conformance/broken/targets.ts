import { IntegrationError } from '../../../src/core/integration-error.ts'
import type { Shown, Wanted } from '../../../src/ports/target.ts'
import { type MemoryWorld, memoryWorld } from '../memory-world.ts'
import { type Broken, changed } from './broken.ts'

const byReference = (wanted: Wanted): Wanted => ({ ...wanted, externalId: null })
const said = (shown: Shown, change: object): Shown =>
  shown.kind === 'found' ? { ...shown, content: { ...shown.content, ...change } } : shown

/** For each promise of `ports/target.ts` that can be seen from outside, a marketplace that breaks it. */
export const BROKEN_TARGETS: Broken<MemoryWorld>[] = [
  {
    breaks: 'Target.lookUp: by id when known',
    red: ['an id that is known decides, whatever carries the reference'],
    make: () => changed((m) => ({ lookUp: (wanted, log, signal) => m.lookUp(byReference(wanted), log, signal) })),
  },
  {
    breaks: 'Target.lookUp: else by our reference',
    red: [
      'what was created is found by its id and by our reference, with the same lines',
      'a send that meets a page for people may have taken effect, and a look-up finds it',
      'a send that meets an answer that never comes may have taken effect, and a look-up finds it',
    ],
    make: () =>
      changed((m) => ({
        lookUp: async (wanted, log, signal) => {
          const shown = await m.lookUp(wanted, log, signal)
          return wanted.externalId === null ? { kind: 'absent' } : shown
        },
      })),
  },
  {
    breaks: 'Wanted.reference: carries the generation',
    red: ['another generation of an order is another reference'],
    make: () =>
      changed((m) => ({
        lookUp: (wanted, log, signal) => m.lookUp({ ...wanted, reference: wanted.reference.replace(/-g\d+$/, '') }, log, signal),
      })),
  },
  {
    breaks: 'Wanted.firstSentAt: look-ups page back to here',
    red: ['an order that many newer ones lie above is found, back to its first send'],
    make: () =>
      changed((m, world) => ({
        lookUp: async (wanted, log, signal) => {
          const shown = await m.lookUp(wanted, log, signal)
          const newest = [...world.memory.orders.keys()].slice(-world.pageSize)
          return wanted.externalId === null && shown.kind === 'found' && !newest.includes(shown.externalId) ? { kind: 'absent' } : shown
        },
      })),
  },
  {
    breaks: 'Target.lookUp: absent only when the target clearly says so',
    red: [
      'a look-up that meets 500 never says absent',
      'a look-up that meets 404 of a gateway never says absent',
      'a look-up that meets no answer in time never says absent',
      'a look-up that meets half an answer never says absent',
      'a look-up that meets an empty answer never says absent',
      'a look-up that meets a page for people never says absent',
      'a look-up that meets 401 never says absent',
      'a look-up that meets 429 never says absent',
    ],
    make: () =>
      changed((m) => ({ lookUp: (wanted, log, signal) => m.lookUp(wanted, log, signal).catch((): Shown => ({ kind: 'absent' })) })),
  },
  {
    breaks: 'Target.lookUp: a cancelled order is not absent',
    red: ['a cancelled version cancels the order, which is then still found'],
    make: () =>
      changed((m) => ({
        lookUp: async (wanted, log, signal) => {
          const shown = await m.lookUp(wanted, log, signal)
          return shown.kind === 'found' && shown.content.lifecycle === 'cancelled' ? { kind: 'absent' } : shown
        },
      })),
  },
  {
    breaks: 'Target.lookUp: every request runs through log.read',
    red: ['an order that was never sent is absent, and each request of the look-up is recorded'],
    make: () =>
      changed((m) => ({
        lookUp: (wanted, _log, signal) => m.lookUp(wanted, { read: (_operation, call) => call(crypto.randomUUID()) }, signal),
      })),
  },
  {
    breaks: 'Target.lookUp: throws an IntegrationError when there is no clear answer',
    red: ['a look-up that meets 500 never says absent', 'a look-up that meets a connection that breaks never says absent'],
    make: () =>
      changed((m) => ({
        lookUp: (wanted, log, signal) =>
          m.lookUp(wanted, log, signal).catch((error: unknown) => {
            throw new Error('it failed', { cause: error })
          }),
      })),
  },
  {
    breaks: 'Target.lookUp: shows the content that is there',
    red: ['what was created is found by its id and by our reference, with the same lines'],
    make: () =>
      changed((m) => ({ lookUp: async (wanted, log, signal) => said(await m.lookUp(wanted, log, signal), { totalMinor: 1, lines: [] }) })),
  },
  {
    breaks: 'ShownContent.extra: no personal data',
    red: ['an order whose buyer was erased is created all the same, and what is shown of any order names nobody'],
    make: () =>
      changed((m) => ({
        lookUp: async (wanted, log, signal) =>
          said(await m.lookUp(wanted, log, signal), { extra: { buyer: wanted.personal?.buyerName ?? '' } }),
      })),
  },
  {
    breaks: 'Wanted.personal: null when there are none or they were erased',
    red: ['an order whose buyer was erased is created all the same, and what is shown of any order names nobody'],
    make: () =>
      changed((m) => ({
        async send(wanted, ...rest) {
          if (wanted.personal === null) throw new IntegrationError('rejected', { summary: 'no buyer' })
          return m.send(wanted, ...rest)
        },
      })),
  },
  {
    breaks: 'Target.next: pure, it changes nothing that it is given',
    red: ['what comes next is decided from what it is given, without a request and without a change of it'],
    make: () =>
      changed((m) => ({
        next: (wanted, shown) => {
          const step = m.next(wanted, shown)
          wanted.version += 1
          return step
        },
      })),
  },
  {
    breaks: 'Target.next: pure, the same answer every time',
    red: ['what comes next is decided from what it is given, without a request and without a change of it'],
    make: () => {
      let calls = 0
      return changed((m) => ({
        next: (wanted, shown) => {
          calls += 1
          return calls % 2 === 0 ? { kind: 'done', reason: 'already-there' } : m.next(wanted, shown)
        },
      }))
    },
  },
  {
    breaks: 'Target.next: pure, it sends nothing',
    red: ['what comes next is decided from what it is given, without a request and without a change of it'],
    make: () =>
      changed((m, world) => ({
        next: (wanted, shown) => {
          world.memory.requests.push({ requestId: 'from-next', what: 'peek' })
          return m.next(wanted, shown)
        },
      })),
  },
  {
    breaks: 'Target.next: the next request this version needs, given what is shown there',
    red: ['a newer version is an update of the same order', 'a cancelled version cancels the order, which is then still found'],
    make: () =>
      changed((m) => ({
        next: (wanted, shown) => (shown.kind === 'found' ? { kind: 'done', reason: 'already-there' } : m.next(wanted, shown)),
      })),
  },
  {
    breaks: 'Target.next: what is cancelled and never was there needs nothing',
    red: ['what is owed nothing needs no request'],
    make: () =>
      changed((m) => ({
        next: (wanted, shown) => (shown.kind === 'absent' ? { kind: 'send', operation: 'create' } : m.next(wanted, shown)),
      })),
  },
  {
    breaks: 'Target.next: what was there and is gone waits for a person',
    red: ['an order that was there and is gone is not created again'],
    make: () => changed((m) => ({ next: (wanted, shown) => m.next(byReference(wanted), shown) })),
  },
  {
    breaks: 'Capabilities.fractionalQuantity: refused for this target only',
    red: ['a quantity it cannot take is refused for this order, with the SKU named'],
    make: () =>
      changed((m) => ({
        next: (wanted, shown) => {
          const step = m.next(wanted, shown)
          return step.kind === 'refused' ? { ...step, summary: 'some quantity is not taken' } : step
        },
      })),
  },
  {
    breaks: 'Target.send: exactly one request',
    red: ['a create is one request under the id it was given, and its answer or a look-up shows the version'],
    make: () =>
      changed((m) => ({
        async send(wanted, operation, shown, requestId, signal) {
          await m.send(wanted, operation, shown, requestId, signal)
          return m.send(wanted, operation, shown, requestId, signal)
        },
      })),
  },
  {
    breaks: 'Target.send: repeats nothing by itself after a lost answer',
    red: [
      'a send that meets an answer that never comes may have taken effect, and a look-up finds it',
      'a send that meets a page for people may have taken effect, and a look-up finds it',
    ],
    make: () =>
      changed((m) => ({
        send: (wanted, operation, shown, requestId, signal) =>
          m.send(wanted, operation, shown, requestId, signal).catch(() => m.send(wanted, operation, shown, requestId, signal)),
      })),
  },
  {
    breaks: 'Target.send: asks whether it is late right before the first byte',
    red: ['a create whose time is over before its first byte is unreachable, and nothing left'],
    make: () =>
      changed((m) => ({ send: (wanted, operation, shown, requestId, signal) => m.send(wanted, operation, shown, requestId, signal) })),
  },
  {
    breaks: 'Target.send: carries requestId',
    red: ['a create is one request under the id it was given, and its answer or a look-up shows the version'],
    make: () =>
      changed((m) => ({ send: (wanted, operation, shown, _id, signal) => m.send(wanted, operation, shown, crypto.randomUUID(), signal) })),
  },
  {
    breaks: 'Target.send: throws an IntegrationError',
    red: ['a send that meets 500 says so, and nothing was created', 'a send that meets 429 says so, and nothing was created'],
    make: () =>
      changed((m) => ({
        send: (...all) =>
          m.send(...all).catch((error: unknown) => {
            throw new Error('it failed', { cause: error })
          }),
      })),
  },
  {
    breaks: 'Target.send: its code says whether it may have taken effect',
    red: [
      'a send that meets half an answer may have taken effect, and a look-up finds it',
      'a send that meets an answer that never comes may have taken effect, and a look-up finds it',
      'a send that meets 503 says so, and nothing was created',
    ],
    make: () =>
      changed((m) => ({
        send: (...all) =>
          m.send(...all).catch(() => {
            throw new IntegrationError('rejected', { summary: 'it failed' })
          }),
      })),
  },
  {
    breaks: 'Target.send: a success is the target’s own answer',
    red: ['a send that meets 500 says so, and nothing was created', 'a SKU it does not know is told as such'],
    make: () => changed((m) => ({ send: (...all) => m.send(...all).catch(() => ({ externalId: 'made-up', shown: null })) })),
  },
  {
    breaks: 'Sent.externalId: as its answer told it',
    red: ['what was created is found by its id and by our reference, with the same lines'],
    make: () => changed((m) => ({ send: async (...all) => ({ ...(await m.send(...all)), externalId: 'made-up' }) })),
  },
  {
    breaks: 'Sent.shown: what the answer shows of the order now',
    red: ['a create is one request under the id it was given, and its answer or a look-up shows the version'],
    make: () => changed((m) => ({ send: async (...all) => ({ ...(await m.send(...all)), shown: { kind: 'absent' } }) })),
  },
  {
    breaks: 'IntegrationError: the driver knows the cause of a refusal',
    red: ['a SKU it does not know is told as such'],
    make: () =>
      changed((m) => ({
        send: (...all) =>
          m.send(...all).catch((error: unknown) => {
            throw error instanceof IntegrationError
              ? new IntegrationError(error.code, { ...error.detail, causeCode: 'rejected-by-target' })
              : error
          }),
      })),
  },
  {
    breaks: 'IntegrationError: unreachable is what never left',
    red: ['where nobody listens nothing was sent'],
    make: () => {
      const world = memoryWorld()
      const unreachable = {
        ...world.memory,
        send: () => Promise.reject(new IntegrationError('no-answer')),
        fetchOrder: () => Promise.reject(new IntegrationError('no-answer')),
      }
      return { ...world, unreachable }
    },
  },
  {
    breaks: 'Capabilities.idempotentCreate: a repeated create with the same reference answers the first order',
    red: ['where a create is idempotent, the same reference again leaves one order and answers it'],
    make: () => changed((m) => ({ capabilities: { ...m.capabilities, idempotentCreate: true } })),
  },
]
