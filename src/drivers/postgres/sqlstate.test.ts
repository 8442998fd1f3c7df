import { expect, test } from 'vitest'
import { isDataError, isTransient, sqlstateOf } from './sqlstate.ts'

function anError(code: string | undefined, message = 'broken'): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code })
}

test.each(['08000', '08003', '08006', '57P01', '57P02', '57P03', '40001', '40P01', '53300'])('SQLSTATE %s is transient', (code) => {
  expect(isTransient(anError(code))).toBe(true)
  expect(isDataError(anError(code))).toBe(false)
})

test.each(['22021', '22P02', '23505', '42501', '25006', '53100', '57014', '55P03', 'P0001'])('SQLSTATE %s is not transient', (code) => {
  expect(isTransient(anError(code))).toBe(false)
})

test.each(['22021', '22P05', '23505', '23503', '54000'])('SQLSTATE %s is an error of the row', (code) => {
  expect(isDataError(anError(code))).toBe(true)
})

test('a broken connection is transient, whether the socket or the driver says so', () => {
  expect(isTransient(anError('ECONNRESET'))).toBe(true)
  expect(isTransient(anError('EPIPE'))).toBe(true)
  expect(isTransient(anError(undefined, 'Connection terminated unexpectedly'))).toBe(true)
  expect(isTransient(anError(undefined, 'timeout exceeded when trying to connect'))).toBe(true)
})

test('a bug is neither transient nor an error of the row', () => {
  for (const bug of [new TypeError('x is undefined'), 'text', undefined, { code: '40001' }, anError('EACCES')]) {
    expect(isTransient(bug)).toBe(false)
    expect(isDataError(bug)).toBe(false)
  }
  expect(sqlstateOf(anError('EPIPE'))).toBeUndefined()
})
