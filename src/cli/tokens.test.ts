import { Command } from 'commander'
import { expect, test } from 'vitest'
import { registerTokens } from './tokens.ts'

test.each(['constructor', '__proto__', 'viewer,toString', ''])('%j is no scope and no role, and is named as such', async (scopes) => {
  const program = new Command().exitOverride()
  registerTokens(program, { env: {}, signal: new AbortController().signal, print: () => {}, progress: () => {} })
  const issued = program.parseAsync(['tokens', 'issue', 'somebody', scopes], { from: 'user' })
  await expect(issued).rejects.toMatchObject({ name: 'CliError', code: 'bad-input', exitCode: 2 })
  await expect(issued).rejects.toThrow(/^scopes: ".*" is no scope and no role/)
})
