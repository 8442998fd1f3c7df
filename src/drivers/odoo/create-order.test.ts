import { describe, expect, test } from 'vitest'
import { markersIn, noteOf, wasReported } from './chatter.ts'
import { majorOf } from './connection.ts'
import { LoadAnswer, loadedId } from './create-order.ts'
import { lineSlug, orderSlug, partnerSlug } from './external-id.ts'
import { odooTimeFrom } from './record.ts'

describe('what load answers', () => {
  const answer = (value: unknown) => LoadAnswer.parse(value)
  const failure = (message: string) => {
    try {
      return loadedId(answer({ ids: false, messages: [{ type: 'error', message, field: 'order_line' }] }), 'the order 1')
    } catch (error) {
      return error
    }
  }

  test('an id is success, whatever else it says', () => {
    expect(loadedId(answer({ ids: [7], messages: [], nextrow: 0 }), 'x')).toBe(7)
  })

  test.each([
    'could not serialize access due to concurrent update\n',
    'ERROR: deadlock detected',
    'duplicate key value violates unique constraint "ir_model_data_module_name_uniq_index"',
  ])('a collision is a conflict: read again (%#)', (message) => {
    expect(failure(message)).toMatchObject({ code: 'conflict' })
  })

  test('anything else is refused, with Odoo’s words kept apart', () => {
    const message = "No matching record found for database id '99999' in field 'Order Lines/Product'"
    expect(failure(message)).toMatchObject({
      code: 'rejected',
      message: 'the order 1: Odoo refused the field "order_line"',
      detail: { causeCode: 'erp-write-failing', theirText: message },
    })
  })

  test('an empty list is no success either', () => {
    expect(() => loadedId(answer({ ids: [] }), 'x')).toThrow('Odoo refused the content')
  })
})

describe('external ids', () => {
  test('they hold no dot, and two orders never share one', () => {
    const keys = [
      ['mercadolibre:1001', '2000001234567890'],
      ['mercadolibre:1001', '2000001234567890-g2'],
      ['mercadolibre:1002', '2000001234567890'],
      ['paris:main', 'A.1'],
      ['paris:main', 'A_1'],
      ['paris:main', 'A:1'],
      ['paris:main', 'a_1'],
      ['paris:main', 'Ñ'.repeat(300)],
    ] as const
    const slugs = keys.map(([channel, reference]) => orderSlug(channel, reference))
    expect(slugs[0]).toBe('mercadolibre_1001_2000001234567890')
    expect(new Set(slugs).size).toBe(keys.length)
    for (const slug of slugs) expect(slug).toMatch(/^[A-Za-z0-9_-]{1,200}$/)
    expect(lineSlug('mercadolibre_1001_1', 'l1')).toBe('mercadolibre_1001_1_l1')
    expect(partnerSlug('paris', 'Clientes París')).not.toBe(partnerSlug('paris', 'Clientes Paris'))
  })
})

describe('chatter', () => {
  const said = { fulfilment: 'ready_to_ship', tracking: 'T&<1>' } as const
  test('the marker is found again in what Odoo makes of the message', () => {
    const note = noteOf({ reference: '2000001-g2' }, said)
    expect(note?.html).toBe(`<p>Marketplace: ready to ship. Tracking: T&amp;&lt;1&gt;. ${note?.marker}</p>`)
    const markers = markersIn([`<div><p>Marketplace … ${note?.marker}</p></div>`, 'something else [rosh]', `again ${note?.marker}`])
    expect(markers).toEqual([note?.marker])
    expect(wasReported(markers, 'T&<1>')).toBe(true)
    expect(wasReported(markers, 'T-2')).toBe(false)
  })

  test('a reference of odd characters still makes a marker that is found', () => {
    const note = noteOf({ reference: 'ñ] [rosh:x' }, said)
    expect(markersIn([note?.html ?? ''])).toEqual([note?.marker])
  })

  test('nothing said is no note', () => {
    expect(noteOf({ reference: '1' }, { fulfilment: null, tracking: 'T' })).toBeNull()
    expect(noteOf({ reference: '1' }, { fulfilment: 'none', tracking: null })).toBeNull()
  })
})

test.each([
  [14, 14],
  ['saas~18', 18],
  ['19', 19],
])('the major version of %j is %i', (first, major) => {
  expect(majorOf(first)).toBe(major)
})

test('a window is made of whole seconds', () => {
  expect(odooTimeFrom('2026-11-23T10:00:00.900Z')).toBe('2026-11-23 10:00:00')
  expect(odooTimeFrom('2026-11-23T23:59:59.100Z', 1)).toBe('2026-11-24 00:00:00')
})
