import { parseArgs } from 'node:util'
import { expect, test, vi } from 'vitest'
import { CliError } from '../../src/cli/context.ts'
import { exitCodeOf } from './usage.ts'

test('what was typed wrongly ends with 2 and one line; anything else is thrown on', async () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  try {
    expect(await exitCodeOf(async () => Number(parseArgs({ args: ['--typo'], options: {} })))).toBe(2)
    expect(said.mock.calls.flat()).toEqual([expect.stringMatching(/^Unknown option '--typo'.*; --help names the options\n$/)])
    expect(await exitCodeOf(() => Promise.reject(new CliError('bad-input', '--parallel: no')))).toBe(2)
    expect(said.mock.calls.at(-1)).toEqual(['--parallel: no; --help names the options\n'])
    expect(await exitCodeOf(async () => 1)).toBe(1)
    await expect(exitCodeOf(() => Promise.reject(new TypeError('a bug')))).rejects.toThrow('a bug')
  } finally {
    said.mockRestore()
  }
})
