// Beyond these a year is written with a sign or is year 0, which PostgreSQL does not read.
const FIRST_MS = Date.parse('0001-01-01T00:00:00.000Z')
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z')

/** Milliseconds since 1970 as an ISO instant in UTC; undefined for what is no instant or lies outside the years 1 to 9999. */
export function isoInstant(ms: number): string | undefined {
  return ms >= FIRST_MS && ms <= LAST_MS ? new Date(ms).toISOString() : undefined
}
