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

/** What waits for a reader who does not read: the stream of a pipe would take any number. */
const MOST_WAITING_CHARACTERS = 1_000_000

/**
 * The hub's log: JSON lines on stderr, so that stdout stays with protocols and answers. Where the reader of a pipe has stopped, what goes
 * beyond a megabyte is lost; how many lines that were is logged with the next one for which there is room again.
 */
export function logTo(level: string, stream: Writable = process.stderr): Log {
  // Without a serializer of ours pino would take `err` apart by its own rules.
  const logger = pino({ level, base: null, serializers: { err: (error: unknown) => error } }, bounded(stream))
  return {
    info: (fields, message) => logger.info(allowed(fields), message),
    warn: (fields, message) => logger.warn(allowed(fields), message),
    error: (fields, message) => logger.error(allowed(fields), message),
  }
}

function bounded(stream: Writable): { write(line: string): void } {
  let lost = 0
  return {
    write(line) {
      // Once lines are lost, room for one alone would soon be none: what tells of them must find room too.
      if (stream.writableLength > (lost > 0 ? MOST_WAITING_CHARACTERS / 2 : MOST_WAITING_CHARACTERS)) {
        lost += 1
        return
      }
      if (lost > 0)
        stream.write(
          `${JSON.stringify({ level: WARN, time: Date.now(), count: lost, msg: 'lines of the log were lost: who reads it had stopped' })}\n`,
        )
      lost = 0
      stream.write(line)
    },
  }
}

const WARN = 40

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
