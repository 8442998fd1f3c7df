import { describe, expect, test } from 'vitest'
import type { DesiredOrder } from '../../core/desired.ts'
import type { Shown, Wanted } from '../../ports/target.ts'
import { noteOf } from './chatter.ts'
import type { LineWork } from './line-work.ts'
import { digestOf, nextStep, type OrderExtra } from './order-steps.ts'

const LINES = [{ lineId: 'l1', sku: 'SKU-001', quantity: '2', unitPriceMinor: 12_990 }]
const DIGESTED = [{ sku: 'SKU-001', quantity: '2', price: '12990' }]

const wanted = (desired: Partial<DesiredOrder> = {}, over: Partial<Wanted> = {}): Wanted => ({
  channel: 'odoo',
  reference: '2000001',
  generation: 1,
  version: 1,
  externalId: null,
  firstSentAt: null,
  personal: null,
  desired: {
    kind: 'order',
    origin: 'mercadolibre:1001',
    orderKey: '2000001',
    lifecycle: 'open',
    fulfilment: null,
    tracking: null,
    confirm: true,
    currency: 'CLP',
    totalMinor: 25_980,
    lines: LINES,
    ...desired,
  },
  ...over,
})
const found = (extra: Partial<OrderExtra> = {}, totalMinor = 25_980): Shown => ({
  kind: 'found',
  externalId: '42',
  content: {
    lifecycle: 'open',
    fulfilment: 'none',
    currency: 'CLP',
    totalMinor,
    lines: [],
    extra: {
      state: 'draft',
      name: 'S00042',
      writeDate: '2026-11-23 10:00:00',
      linesDigest: digestOf(DIGESTED, false),
      pricedDigest: digestOf(DIGESTED, true),
      lineWork: '',
      stillToDeliver: '',
      locked: false,
      editedByPerson: false,
      personWrote: false,
      delivered: false,
      invoiced: false,
      markers: '',
      outgoing: '[]',
      canTrack: true,
      copies: 1,
      declined: null,
      ...extra,
    },
  },
})
const ABSENT: Shown = { kind: 'absent' }
const marker = (desired: Partial<DesiredOrder>): string => noteOf(wanted(desired), wanted(desired).desired as DesiredOrder)?.marker ?? ''

describe('where nothing is there', () => {
  test.each([
    ['an open order is created', wanted(), { kind: 'send', operation: 'create' }],
    ['a cancelled one is not', wanted({ lifecycle: 'cancelled' }), { kind: 'done', reason: 'nothing-to-do' }],
    ['one born in Odoo needs nothing', wanted({ origin: 'odoo' }), { kind: 'done', reason: 'nothing-to-do' }],
    ['one that was bound is missing', wanted({}, { externalId: '42' }), { kind: 'refused', cause: 'delivered-then-missing' }],
    ['one without lines is refused', wanted({ lines: [] }), { kind: 'refused', cause: 'erp-write-failing' }],
    [
      'one with a price on some lines is refused',
      wanted({ lines: [...LINES, { lineId: 'l2', sku: 'B', quantity: '1', unitPriceMinor: null }] }),
      { kind: 'refused', cause: 'erp-write-failing' },
    ],
  ])('%s', (_what, version, step) => {
    expect(nextStep(version, ABSENT)).toMatchObject(step)
  })
})

describe('where an unconfirmed order is', () => {
  test.each([
    ['it is confirmed when the totals agree', wanted(), found(), { kind: 'send', operation: 'confirm' }],
    ['and waits while it is held', wanted({ confirm: false }), found(), { kind: 'done' }],
    ['another total stops it', wanted(), found({}, 30_916), { kind: 'refused', cause: 'totals-mismatch' }],
    ['no total, no comparison', wanted({ totalMinor: null }), found({}, 30_916), { kind: 'send', operation: 'confirm' }],
    [
      'another currency stops it',
      wanted({ currency: 'USD', lines: [{ ...LINES[0]!, unitPriceMinor: 1_299_000 }] }),
      found(),
      { kind: 'refused', cause: 'totals-mismatch' },
    ],
    [
      'a person’s edit stops it',
      wanted(),
      found({ pricedDigest: 'other', editedByPerson: true }),
      { kind: 'refused', cause: 'erp-conflict' },
    ],
    ['the marketplace’s edit is unsupported', wanted(), found({ pricedDigest: 'other' }), { kind: 'unsupported', operation: 'update' }],
    ['a person’s edit elsewhere does not', wanted(), found({ editedByPerson: true }), { kind: 'send', operation: 'confirm' }],
    ['what Odoo declined is not asked again', wanted(), found({ declined: 'confirm' }), { kind: 'refused', cause: 'erp-write-failing' }],
    ['two under one reference wait for a person', wanted(), found({ copies: 2 }), { kind: 'refused', cause: 'duplicated-at-target' }],
    ['cancelled by a person it stays so', wanted(), found({ state: 'cancel' }), { kind: 'refused', cause: 'erp-conflict' }],
  ])('%s', (_what, version, shown, step) => {
    expect(nextStep(version, shown)).toMatchObject(step)
  })
})

describe('towards a cancellation', () => {
  const cancelled = wanted({ lifecycle: 'cancelled' })
  test.each([
    ['it is sent', found({ state: 'sale' }), { kind: 'send', operation: 'cancel' }],
    ['also to one a person edited', found({ pricedDigest: 'other', editedByPerson: true }), { kind: 'send', operation: 'cancel' }],
    ['once', found({ state: 'cancel' }), { kind: 'done', reason: 'already-there' }],
    ['never after the delivery', found({ state: 'sale', delivered: true }), { kind: 'refused', cause: 'erp-conflict' }],
    ['never after the invoice', found({ state: 'sale', invoiced: true }), { kind: 'refused', cause: 'erp-conflict' }],
    ['not again when Odoo asked a person', found({ state: 'sale', declined: 'cancel' }), { kind: 'refused', cause: 'erp-conflict' }],
  ])('%s', (_what, shown, step) => {
    expect(nextStep(cancelled, shown)).toMatchObject(step)
  })
})

describe('where a confirmed order is', () => {
  const shipped = { fulfilment: 'shipped', tracking: 'T-2' } as const
  const noted = marker(shipped)
  const sale = (extra: Partial<OrderExtra> = {}): Shown => found({ state: 'sale', ...extra })
  const outgoing = (tracking: string): string => JSON.stringify([{ id: 8, tracking }])
  test.each([
    ['nothing said, nothing to do', wanted(), sale(), { kind: 'done' }],
    ['no note about no fulfilment', wanted({ fulfilment: 'none' }), sale(), { kind: 'done' }],
    ['the note comes first', wanted(shipped), sale({ outgoing: outgoing('') }), { kind: 'send', operation: 'note' }],
    ['then the tracking', wanted(shipped), sale({ markers: noted, outgoing: outgoing('') }), { kind: 'send', operation: 'track' }],
    ['then nothing', wanted(shipped), sale({ markers: noted, outgoing: outgoing('T-2') }), { kind: 'done' }],
    [
      'a number the hub wrote is replaced',
      wanted(shipped),
      sale({ markers: `${marker({ ...shipped, tracking: 'T-1' })} ${noted}`, outgoing: outgoing('T-1') }),
      { kind: 'send', operation: 'track' },
    ],
    ['a person’s is not', wanted(shipped), sale({ markers: noted, outgoing: outgoing('T-1') }), { kind: 'refused', cause: 'erp-conflict' }],
    [
      'without the field the note says it all',
      wanted(shipped),
      sale({ markers: noted, outgoing: outgoing(''), canTrack: false }),
      { kind: 'done' },
    ],
    ['a person’s later edit stays', wanted(), sale({ pricedDigest: 'other', editedByPerson: true }), { kind: 'done' }],
    ['the marketplace’s is unsupported', wanted(), sale({ pricedDigest: 'other' }), { kind: 'unsupported', operation: 'update' }],
    ['locked is confirmed', wanted(), found({ state: 'done' }), { kind: 'done' }],
    [
      'its total is compared while nobody else wrote it',
      wanted(),
      found({ state: 'sale' }, 1),
      { kind: 'refused', cause: 'totals-mismatch' },
    ],
    ['and no longer once a person did', wanted(), found({ state: 'sale', editedByPerson: true, personWrote: true }, 1), { kind: 'done' }],
  ])('%s', (_what, version, shown, step) => {
    expect(nextStep(version, shown)).toMatchObject(step)
  })

  test('an order born in Odoo is only ever noted', () => {
    const born = wanted({ ...shipped, origin: 'odoo', lifecycle: 'cancelled', lines: [] })
    expect(nextStep(born, sale({ outgoing: outgoing('') }))).toEqual({ kind: 'send', operation: 'note' })
    expect(nextStep(born, sale({ markers: noted }))).toEqual({ kind: 'done', reason: 'already-there' })
  })
})

describe('where the lines of a pack changed', () => {
  const changed = (work: Partial<LineWork>, extra: Partial<OrderExtra> = {}): Shown =>
    found({ state: 'sale', pricedDigest: 'other', lineWork: JSON.stringify({ missing: [], surplus: [], other: false, ...work }), ...extra })
  const more = { missing: ['l2'] }
  const less = { surplus: [{ id: 9, sku: 'SKU-002', used: false }] }
  const update = { kind: 'send', operation: 'update' }
  test.each([
    ['a late one is appended', changed(more), update],
    ['before the confirmation too', changed(more, { state: 'draft' }), update],
    ['a cancelled one goes to zero', changed(less), update],
    ['both are written', changed({ ...more, ...less }), update],
    [
      'none where a person wrote the order',
      changed(more, { editedByPerson: true, personWrote: true }),
      { kind: 'refused', cause: 'erp-conflict' },
    ],
    [
      'nor where one wrote it before the confirmation',
      changed(less, { state: 'draft', editedByPerson: true, personWrote: true }),
      { kind: 'refused', cause: 'erp-conflict' },
    ],
    ['also where Odoo itself wrote last', changed(more, { editedByPerson: true }), update],
    [
      'but not where that may hide a person',
      changed({ ...more, other: true }, { editedByPerson: true }),
      { kind: 'refused', cause: 'erp-conflict' },
    ],
    ['none where the order is locked', changed(more, { locked: true }), { kind: 'refused', cause: 'erp-conflict' }],
    ['none where more differs', changed({ ...more, other: true }), { kind: 'unsupported', operation: 'update' }],
    [
      'what is delivered is not taken back',
      changed({ surplus: [{ id: 9, sku: 'SKU-002', used: true }] }),
      { kind: 'refused', cause: 'erp-conflict' },
    ],
    [
      'what a delivery still holds waits for a person',
      found({ state: 'sale', stillToDeliver: 'SKU-002' }),
      { kind: 'refused', cause: 'erp-conflict' },
    ],
  ])('%s', (_what, shown, step) => {
    expect(nextStep(wanted(), shown)).toMatchObject(step)
  })
})

test('the step is the same whenever it is asked', () => {
  const version = wanted()
  const shown = found()
  expect(nextStep(version, shown)).toEqual(nextStep(structuredClone(version), structuredClone(shown)))
})
