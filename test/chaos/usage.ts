import { CliError } from '../../src/cli/context.ts'

/** Runs a program and answers its exit code: 2, and one line instead of a stack, for what was typed wrongly (`bad-input`, or words of `parseArgs`). */
export async function exitCodeOf(program: () => Promise<number>): Promise<number> {
  try {
    return await program()
  } catch (error) {
    if (!isUsage(error)) throw error
    process.stderr.write(`${error.message}; --help names the options\n`)
    return 2
  }
}

const isUsage = (error: unknown): error is Error =>
  (error instanceof CliError && error.code === 'bad-input') ||
  (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))
