import type { Writable } from 'node:stream'
import { pino } from 'pino'
import { IntegrationError } from '../core/integration-error.ts'
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

/** What waits for a reader that does not read; the stream of a pipe would hold any number of bytes. */
const MOST_WAITING_BYTES = 1_000_000

/**
 * The hub's log: JSON lines on stderr, so that stdout stays with protocols and answers. Where its reader has stopped, what goes beyond a
 * megabyte is lost, and how many lines that were is logged when it reads again.
 */
export function logTo(level: string, stream: Writable = process.stderr): Log {
  let lost = 0
  const bounded = {
    write(line: string): void {
      if (stream.writableLength > MOST_WAITING_BYTES) {
        lost += 1
        return
      }
      stream.write(line)
      if (lost === 0) return
      const count = lost
      lost = 0
      logger.warn({ count }, 'lines of the log were lost: who reads it had stopped')
    },
  }
  // Without a serializer of ours pino would take `err` apart by its own rules.
  const logger = pino({ level, base: null, serializers: { err: (error: unknown) => error } }, bounded)
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

// Type, code and place. The message stays when it was made in our own sources: JSON, the database and every library quote data in theirs.
function errorOf(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error }
  const code = 'code' in error && typeof error.code === 'string' ? wordOf(error.code) : undefined
  const frames = framesOf(error)
  const isSentence = error instanceof IntegrationError || (frames[0] !== undefined && isOurs(frames[0]))
  const message = isSentence ? error.message.slice(0, 200) : undefined
  const at = frames.find(isOurs)
  return { type: wordOf(error.name), code, message, at: at?.replace(/^.*?(src|dist)\//, '$1/') }
}

const wordOf = (text: string): string => (/^\w{1,60}$/.test(text) ? text : 'unknown')

// What follows the message, which may itself look like frames.
function framesOf({ stack, message }: Error): string[] {
  const from = stack?.indexOf(message) ?? -1
  const rest = stack === undefined ? '' : stack.slice(from < 0 ? 0 : from + message.length)
  return rest.split('\n').flatMap((line) => (/^\s+at /.test(line) ? [line.trim().replace(/^at /, '')] : []))
}

const isOurs = (frame: string): boolean => /\/(src|dist)\//.test(frame) && !/\/node_modules\//.test(frame)
