import { describe, expect, test } from 'vitest'
import { IntegrationError } from '../../core/integration-error.ts'
import { faultError, faultOf, statusError } from './odoo-error.ts'

describe('a fault is classed by its class, never by its words', () => {
  test.each([
    ['odoo.exceptions.AccessDenied', 'unauthorized'],
    ['werkzeug.exceptions.Unauthorized', 'unauthorized'],
    ['odoo.http.SessionExpiredException', 'unauthorized'],
    ['odoo.exceptions.AccessError', 'rejected'],
    ['odoo.exceptions.UserError', 'rejected'],
    ['odoo.exceptions.ValidationError', 'rejected'],
    ['odoo.exceptions.MissingError', 'not-found'],
    ['psycopg2.errors.SerializationFailure', 'unavailable'],
    ['psycopg2.errors.LockNotAvailable', 'unavailable'],
    ['psycopg2.errors.DeadlockDetected', 'unavailable'],
    ['psycopg2.OperationalError', 'unavailable'],
    ['psycopg2.errors.NumericValueOutOfRange', 'rejected'],
    ['builtins.ValueError', 'rejected'],
    ['AttributeError', 'rejected'],
    ['unnamed', 'rejected'],
  ])('%s is %s', (className, code) => {
    const error = faultError({ className, message: 'No se puede: could not serialize access, password' }, 'sale.order.write')
    expect(error.code).toBe(code)
    expect(faultOf(error)).toBe(className.split('.').at(-1))
  })

  test('its words are kept apart, cut, and never in the summary', () => {
    const { detail } = faultError({ className: 'odoo.exceptions.UserError', message: 'x'.repeat(900), httpStatus: 422 }, 'sale.order.write')
    expect(detail).toMatchObject({ causeCode: 'erp-write-failing', httpStatus: 422, summary: 'Odoo refused sale.order.write (UserError)' })
    expect(detail.theirText).toHaveLength(500)
  })

  test('what is no fault of Odoo has no class', () => {
    expect(faultOf(new IntegrationError('no-answer'))).toBeUndefined()
    expect(faultOf(new Error('x'))).toBeUndefined()
  })
})

describe('an answer without a class', () => {
  const reply = (status: number, headers: Record<string, string> = {}) => ({ status, headers, text: '<html>' })
  const codeOf = (status: number, headers?: Record<string, string>) => statusError(reply(status, headers), 'x', 'shop')?.code

  test('is classed by its status', () => {
    expect(codeOf(200)).toBeUndefined()
    expect(codeOf(502)).toBe('unavailable')
    expect(codeOf(503)).toBe('unavailable')
    expect(codeOf(429)).toBe('rate-limited')
    expect(codeOf(401)).toBe('unauthorized')
    expect(codeOf(400)).toBe('rejected')
  })

  test('a missing database and a closed API are told as what they are', () => {
    const html = { 'content-type': 'text/html; charset=utf-8' }
    expect(statusError(reply(404, html), 'x', 'shop')).toMatchObject({ code: 'unavailable', message: expect.stringContaining('"shop"') })
    expect(statusError(reply(403, html), 'x', 'shop')).toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining('Custom plan'),
    })
  })

  test('a wish to wait is kept in milliseconds', () => {
    expect(statusError(reply(503, { 'retry-after': '7' }), 'x', 'shop')).toMatchObject({
      code: 'rate-limited',
      detail: { retryAfterMs: 7_000 },
    })
  })
})
