import { parseArgs } from 'node:util'
import { expect, test, vi } from 'vitest'
import { exitCodeOf, UsageError, wholeNumber } from './usage.ts'

test.each(['', '0', '65', '1.5', '1e1', '-1', 'abc'])('"%s" scenarios at once are refused by name', (text) => {
  expect(() => wholeNumber('parallel', text, [1, 64])).toThrow(new UsageError(`--parallel: "${text}" is no whole number from 1 to 64`))
})

test('both ends count', () => {
  expect([wholeNumber('parallel', '1', [1, 64]), wholeNumber('parallel', '64', [1, 64])]).toEqual([1, 64])
})

test('what was typed wrongly ends with 2 and one line; anything else is thrown on', async () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  try {
    expect(await exitCodeOf(async () => Number(parseArgs({ args: ['--typo'], options: {} })))).toBe(2)
    expect(said.mock.calls.flat()).toEqual([expect.stringMatching(/^Unknown option '--typo'.*; --help names the options\n$/)])
    expect(await exitCodeOf(async () => 1)).toBe(1)
    await expect(exitCodeOf(() => Promise.reject(new TypeError('a bug')))).rejects.toThrow('a bug')
  } finally {
    said.mockRestore()
  }
})
