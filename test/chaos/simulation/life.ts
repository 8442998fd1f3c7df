import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { connect, type Pool, type Role } from '../../../src/drivers/postgres/pool.ts'
import { Hands } from '../../../src/hands.ts'
import type { World } from './world.ts'

/** Where a life ends: at a port call, before it, after it, or before the nth statement inside of it. */
export interface CrashPoint {
  /** How many port calls of the node it lives on for. */
  calls: number
  point: 'before' | 'inside' | 'after'
  statement: number
}

class Crash extends Error {
  override readonly name = 'Crash'
}

const GONE = Symbol('gone')

/** One life of a node: its connections, what it has in hand, and the point where it ends. After that nothing of it goes on. */
export class Life {
  readonly name: string
  readonly world: World
  readonly hands = new Hands()
  readonly pools: { worker: Pool; ingest: Pool; operator: Pool }
  dead = false
  crash: CrashPoint | null = null
  #application: string
  #clients = new Set<pg.PoolClient>()
  #statementsLeft = Number.POSITIVE_INFINITY

  constructor(world: World, name: string, life: number) {
    this.world = world
    this.name = name
    this.#application = `simulation ${name} ${life}`
    this.pools = { worker: this.#pool('rosh_worker'), ingest: this.#pool('rosh_ingest'), operator: this.#pool('rosh_operator') }
  }

  /** A port call in its turn. One of a life that ended never answers, and what waits for it is dropped. */
  async call<T>(label: string, run: () => Promise<T>): Promise<T> {
    const answer = await this.world.turns.take(`${this.name} ${label}`, () => this.#live(label, run))
    return answer === GONE ? new Promise<T>(() => {}) : answer
  }

  /** Ends it now: its connections break, so its transaction rolls back. Comes back when the database has noticed. */
  async kill(): Promise<void> {
    this.dead = true
    for (const client of this.#clients) streamOf(client).destroy()
    for (const pool of Object.values(this.pools)) pool.end().catch(() => {})
    const { owner } = this.world
    const left = `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1`
    while ((await owner.query<{ count: number }>(left, [this.#application])).rows[0]?.count !== 0) await pause(2)
  }

  async close(): Promise<void> {
    if (!this.dead) await Promise.all(Object.values(this.pools).map((pool) => pool.end()))
  }

  /** Whether a connection is in use: while another system is called, none may be (I8). */
  get inTransaction(): boolean {
    return Object.values(this.pools).some((pool) => pool.totalCount > pool.idleCount)
  }

  async #live<T>(label: string, run: () => Promise<T>): Promise<T | typeof GONE> {
    if (this.dead) return GONE
    const { trace } = this.world
    const crash = this.#crashNow()
    trace.push(`${this.name} ${label}${crash ? ` (crash ${crash.point})` : ''}`)
    if (crash?.point === 'before') return this.#end()
    if (crash?.point === 'inside') this.#statementsLeft = crash.statement
    try {
      const answer = await run()
      return crash ? await this.#end() : answer
    } catch (error) {
      if (crash) return this.#end()
      trace.push(`  ${label} failed: ${error instanceof Error ? error.message : String(error)}`)
      throw error
    }
  }

  async #end(): Promise<typeof GONE> {
    await this.kill()
    return GONE
  }

  #crashNow(): CrashPoint | null {
    if (this.crash === null) return null
    this.crash.calls -= 1
    return this.crash.calls <= 0 ? this.crash : null
  }

  #pool(role: Role): Pool {
    const pool = connect({ url: this.world.database.url, role, max: 2, applicationName: this.#application })
    pool.on('connect', (client) => {
      this.#clients.add(client)
      const query = client.query.bind(client) as (...all: unknown[]) => unknown
      client.query = ((...all: unknown[]) => {
        this.#beforeStatement()
        return query(...all)
      }) as typeof client.query
    })
    pool.on('remove', (client) => this.#clients.delete(client))
    return pool
  }

  #beforeStatement(): void {
    this.#statementsLeft -= 1
    if (this.dead || this.#statementsLeft < 0) throw new Crash(`${this.name} ended before a statement`)
  }
}

function streamOf(client: pg.PoolClient): { destroy(): void } {
  return (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream
}
