import { CliError } from './context.ts'

/** The whole number that an option gives, from `least` to `most`. Throws one line that names the option for anything else, an empty text included. */
export function countFrom(option: string, text: string, [least, most]: readonly [number, number]): number {
  const count = Number(text)
  if (/^\d{1,15}$/.test(text) && count >= least && count <= most) return count
  throw new CliError('bad-input', `${option}: "${text}" is no whole number from ${least} to ${most}`)
}
