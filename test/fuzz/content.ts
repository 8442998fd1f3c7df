import { holds } from './door.ts'

const NO_DATABASE_TAKES = /\\u0000|\\u[dD][89a-fA-F]/

/** Text of PostgreSQL and its JSON hold neither NUL nor half of a surrogate pair; a row with one cannot be written, and its work never ends. */
export function holdsStorable(value: unknown, what: string): void {
  const text = jsonOf(value)
  // A backslash that is itself written is no escape.
  holds(!NO_DATABASE_TAKES.test(text.replaceAll('\\\\', '')), `${what} holds a NUL or half of a surrogate pair`)
}

// What is nested deeper than the stack goes is no text of ours; nothing of the hub writes such a value.
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch (error) {
    if (error instanceof RangeError) return ''
    throw error
  }
}

/** An instant as PostgreSQL reads it: years 1 to 9999. */
export function holdsInstant(text: string | null, what: string): void {
  holds(text === null || /^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(text), `${what} is no instant that can be stored: ${text}`)
}

/** An id of digits stands in the input digit by digit, or is the whole value of a number that was written with a point or an exponent. */
export function holdsDigits(id: string | null, input: Uint8Array, what: string): void {
  if (id === null || !/^\d+$/.test(id)) return
  const text = Buffer.from(input).toString('utf8')
  const isWritten = text.includes(id) || /\\u00/.test(text)
  holds(
    isWritten || numbersIn(text).some((number) => Number.isSafeInteger(Number(number)) && String(Number(number)) === id),
    `${what} lost digits: ${id}`,
  )
}

const numbersIn = (text: string): string[] =>
  text.match(/-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g)?.filter((number) => /[.eE]/.test(number)) ?? []

const INNARDS = /\n\s+at |node_modules|\/src\/|\.ts:\d|node:internal|SELECT |INSERT |violates|pg_|TypeError|RangeError|ZodError/

/** What a stranger is told names no file, no query, no stack and no secret. */
export function holdsTight(text: string, secrets: readonly string[], what: string): void {
  const innards = INNARDS.exec(text)?.[0]
  holds(innards === undefined, `${what} shows the inside of the program: ${JSON.stringify(innards)}`)
  holds(!secrets.some((secret) => text.includes(secret)), `${what} shows a secret`)
}
