import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { BusTopic, EventBus } from '../../ports/event-bus.ts'
import type { Pool } from './pool.ts'

export interface EventBusOptions {
  /** For publishing. */
  pool: Pool
  /** For one connection of its own that only listens; any login may. */
  url: string
  applicationName: string
  /** Told when listening broke off; it is taken up again by itself. */
  onLost?: (error: Error) => void
}

const CHANNELS: Record<string, BusTopic> = { rosh_inbound: 'inbound', rosh_outbound: 'outbound', rosh_collect: 'collect' }
const LONGEST_PAUSE_MS = 5_000

/** LISTEN and NOTIFY as the bus: wakes workers, loses messages while a connection is down, and wakes everybody once it is back. */
export function postgresEventBus(options: EventBusOptions): EventBus & { close(): Promise<void> } {
  const wakes = new Map<BusTopic, Set<() => void>>([
    ['inbound', new Set()],
    ['outbound', new Set()],
    ['collect', new Set()],
  ])
  const stopping = new AbortController()
  let listener: pg.Client | undefined
  let listening: Promise<void> | undefined

  const wakeAll = (): void => {
    for (const topic of wakes.values()) for (const wake of topic) wake()
  }
  const open = async (): Promise<void> => {
    const client = new pg.Client({
      connectionString: options.url,
      application_name: options.applicationName,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    })
    client.on('notification', ({ channel }) => {
      const topic = CHANNELS[channel]
      if (topic) for (const wake of wakes.get(topic) ?? []) wake()
    })
    client.on('error', (error) => options.onLost?.(error))
    try {
      await client.connect()
      await client.query('LISTEN rosh_inbound; LISTEN rosh_outbound; LISTEN rosh_collect')
    } catch (error) {
      await client.end().catch(() => {})
      throw error
    }
    if (stopping.signal.aborted) return client.end()
    listener = client
    client.once('end', () => {
      if (!stopping.signal.aborted) void reopen()
    })
  }
  const reopen = async (): Promise<void> => {
    for (let pauseMs = 50; !stopping.signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        await open()
        return wakeAll()
      } catch (error) {
        options.onLost?.(error instanceof Error ? error : new Error(String(error)))
        await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => {})
      }
    }
  }
  return {
    publish: async (topic) => {
      await options.pool.query('SELECT pg_notify($1, $2)', [`rosh_${topic}`, ''])
    },
    subscribe: async (topic, wake) => {
      wakes.get(topic)?.add(wake)
      // A database that is away is no reason not to start: the sweeps work without wake-ups, and listening begins when it is back.
      listening ??= open().catch(() => void reopen())
      await listening
      return {
        close: async () => {
          wakes.get(topic)?.delete(wake)
        },
      }
    },
    close: async () => {
      stopping.abort()
      await listening
      await listener?.end()
    },
  }
}
