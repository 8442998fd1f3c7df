import { pino } from 'pino'
import type { Log } from '../supervise.ts'

// An allowlist, not a denylist: a field that nobody thought of is dropped, so it cannot carry a secret or a person's name into a log.
const ALLOWED = new Set([
  'loop',
  'failures',
  'channel',
  'delivery',
  'event',
  'code',
  'app',
  'port',
  'cause',
  'count',
  'verdict',
  'elapsedMs',
  'reason',
  'path',
  'status',
])

/** The hub's log: JSON lines on stderr, so that stdout stays with protocols and answers. */
export function logTo(level: string): Log {
  const logger = pino({ level, base: null }, process.stderr)
  return {
    info: (fields, message) => logger.info(allowed(fields), message),
    warn: (fields, message) => logger.warn(allowed(fields), message),
    error: (fields, message) => logger.error(allowed(fields), message),
  }
}

function allowed(fields: Record<string, unknown>): Record<string, unknown> {
  const kept: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'err') kept.err = errorOf(value)
    else if (ALLOWED.has(name) && (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')) kept[name] = value
  }
  return kept
}

// Type, code and place; a message may quote data of other systems, so only our own errors keep theirs.
function errorOf(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const at = error.stack?.split('\n').find((line) => line.includes('/src/') || line.includes('/dist/'))
  return { type: error.name, code, message: error.message.slice(0, 200), at: at?.trim().replace(/^at .*?(src|dist)\//, '$1/') }
}
