/** Something typed that cannot be meant; its text names the option and what it takes. */
export class UsageError extends Error {}

/** The value of `--name`; throws a UsageError for what is no whole number between the two. */
export function wholeNumber(name: string, text: string, [least, most]: readonly [least: number, most: number]): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(`--${name}: "${text}" is no whole number from ${least} to ${most}`)
}

/** Runs a program and answers its exit code: 2, and one line instead of a stack, for what was typed wrongly. */
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
  error instanceof UsageError || (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))
