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
  const listening = new Listening(options, {
    heard: (topic) => {
      for (const wake of wakes.get(topic) ?? []) wake()
    },
    back: () => {
      for (const topic of wakes.values()) for (const wake of topic) wake()
    },
  })
  return {
    publish: async (topic) => {
      await options.pool.query('SELECT pg_notify($1, $2)', [`rosh_${topic}`, ''])
    },
    subscribe: async (topic, wake) => {
      wakes.get(topic)?.add(wake)
      await listening.start()
      return {
        close: async () => {
          wakes.get(topic)?.delete(wake)
        },
      }
    },
    close: () => listening.stop(),
  }
}

/** The one connection that listens; it is opened anew, ever more slowly, whenever it breaks. */
class Listening {
  readonly #options: EventBusOptions
  readonly #tell: { heard(topic: BusTopic): void; back(): void }
  readonly #stopping = new AbortController()
  #client: pg.Client | undefined
  #started: Promise<void> | undefined

  constructor(options: EventBusOptions, tell: { heard(topic: BusTopic): void; back(): void }) {
    this.#options = options
    this.#tell = tell
  }

  /** A database that is away is no reason not to start: the sweeps work without wake-ups, and listening begins when it is back. */
  start(): Promise<void> {
    this.#started ??= this.#open().catch(() => void this.#reopen())
    return this.#started
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#started
    await this.#client?.end()
  }

  async #open(): Promise<void> {
    const { url, applicationName, onLost } = this.#options
    const client = new pg.Client({
      connectionString: url,
      application_name: applicationName,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    })
    client.on('notification', ({ channel }) => {
      const topic = CHANNELS[channel]
      if (topic) this.#tell.heard(topic)
    })
    client.on('error', (error) => onLost?.(error))
    try {
      await client.connect()
      await client.query('LISTEN rosh_inbound; LISTEN rosh_outbound; LISTEN rosh_collect')
    } catch (error) {
      await client.end().catch(() => {})
      throw error
    }
    if (this.#stopping.signal.aborted) return client.end()
    this.#client = client
    client.once('end', () => {
      if (!this.#stopping.signal.aborted) void this.#reopen()
    })
  }

  async #reopen(): Promise<void> {
    for (let pauseMs = 50; !this.#stopping.signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        await this.#open()
        return this.#tell.back()
      } catch (error) {
        this.#options.onLost?.(error instanceof Error ? error : new Error(String(error)))
        await delay(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => {})
      }
    }
  }
}
