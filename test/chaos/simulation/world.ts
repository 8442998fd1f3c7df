import type { Scheduler } from 'fast-check'
import type { Sent } from '../../../src/ports/target.ts'
import { memoryErp } from '../../../src/drivers/memory/erp.ts'
import { memoryErpBook } from '../../../src/drivers/memory/erp-book.ts'
import { EVERYTHING, memoryMarketplace } from '../../../src/drivers/memory/marketplace.ts'
import { syncChannels } from '../../../src/drivers/postgres/channels.ts'
import { connect, type Pool } from '../../../src/drivers/postgres/pool.ts'
import { cloneDatabase, type TestDatabase } from '../../support/database.ts'
import { CHANNELS, MARKETPLACES } from './channels.ts'
import type { Defect } from './defects.ts'
import { Life } from './life.ts'
import { type Ports, portsOf } from './ports.ts'
import { Fates, type InTheAir, Past } from './systems.ts'
import { Turns } from './turns.ts'

const BEGAN_MS = Date.UTC(2026, 10, 23, 12)
export const NODES = ['n1', 'n2', 'n3'] as const
export const SKUS = ['SKU-1', 'SKU-2'] as const

export interface Node {
  life: Life
  ports: Ports
}

/** The schedule went wrong; what comes after it would only hide it. */
export class Breach extends Error {
  override readonly name = 'Breach'
}

/** One simulated run: a database of its own, nodes on it, and the books of the other systems, which are the ledgers. */
export class World {
  readonly database: TestDatabase
  readonly owner: Pool
  readonly defect: Defect
  readonly turns: Turns
  readonly fates = new Fates()
  readonly inTheAir = new Set<InTheAir>()
  readonly trace: string[] = []
  readonly markets = MARKETPLACES.map((id) => memoryMarketplace(id, EVERYTHING, { nowMs: () => this.nowMs(), pageSize: 4 }))
  readonly book = memoryErpBook(() => this.nowMs())
  readonly erp = memoryErp(this.book)
  /** Bodies of webhooks that were answered 2xx. */
  readonly acknowledged: string[] = []
  readonly hooks: { channel: string; body: string }[] = []
  /** The newest lease of each delivery that was given out. */
  readonly leases = new Map<string, string>()
  /** What a defective inbox keeps of the webhooks it heard; the hub has no such thing. */
  readonly committedKeys = new Set<string>()
  readonly #past = new Past()
  readonly #nodes = new Map<string, Node>()
  #lives = 0
  #shiftMs = 0
  #breach: string | null = null

  constructor(database: TestDatabase, scheduler: Scheduler, defect: Defect) {
    this.database = database
    this.turns = new Turns(scheduler)
    this.defect = defect
    this.owner = connect({ url: database.migratorUrl, role: null, max: 2, applicationName: 'simulation' })
    for (const sku of SKUS) this.book.products.set(sku, { priceMinor: 1_000, onHand: 1_000, movedAt: new Date(BEGAN_MS).toISOString() })
  }

  nowMs = (): number => BEGAN_MS + this.#shiftMs

  /** A node as it lives now; one that ended starts again. */
  node(name: string): Node {
    const known = this.#nodes.get(name)
    if (known && !known.life.dead) return known
    this.#lives += 1
    const life = new Life(this, name, this.#lives)
    const node = { life, ports: portsOf(life) }
    this.#nodes.set(name, node)
    return node
  }

  /** Ends a node's life between two turns, and begins another at its next use. */
  async restart(name: string): Promise<void> {
    const known = this.#nodes.get(name)
    if (known && !known.life.dead) await known.life.kill()
  }

  /** Remembers what went wrong first; the run stops at the end of the turn. */
  breach(what: string): void {
    this.#breach ??= what
  }

  /** Throws what went wrong so far; between turns, at any time. */
  prove = (): void => {
    for (const market of this.markets) this.#past.remember(market)
    this.#proveSingle()
    if (this.#breach !== null) throw new Breach(this.#breach)
  }

  pastOf(channel: string, id: string) {
    return this.#past.of(channel, id)
  }

  /** Moves the hub's clock and every other one. What is in the air takes effect before its time is up. */
  async pass(ms: number): Promise<void> {
    for (const request of [...this.inTheAir].filter((one) => one.byMs <= this.nowMs() + ms)) await this.land(request)
    this.#shiftMs += ms
    await this.owner.query(`UPDATE hub_clock SET shift = $1 * interval '1 ms'`, [this.#shiftMs])
  }

  async land(request: InTheAir): Promise<Sent | null> {
    if (!this.inTheAir.delete(request)) return null
    this.trace.push(`${request.label} lands`)
    return request.land().catch(() => null)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#nodes.values()].map(({ life }) => life.close().catch(() => {})))
    await this.owner.end()
    await this.database.drop()
  }

  // I2: at any moment at most one order a reference, at every system.
  #proveSingle(): void {
    for (const { channel, orders } of this.markets)
      proveOnce(
        [...orders.values()].flatMap((o) => o.reference ?? []),
        (reference) => this.breach(`I2: ${channel} holds two orders ${reference}`),
      )
    const born = [...this.book.orders.values()].filter((o) => o.byHub !== null).map((o) => `${o.origin} ${o.reference}`)
    proveOnce(born, (reference) => this.breach(`I2: the ERP holds two orders for ${reference}`))
  }
}

function proveOnce(names: readonly string[], twice: (name: string) => void): void {
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(name)) twice(name)
    seen.add(name)
  }
}

export async function openWorld(scheduler: Scheduler, defect: Defect): Promise<World> {
  const database = await cloneDatabase()
  const world = new World(database, scheduler, defect)
  // A second of the run is a millisecond of the hub: how fast the machine is decides nothing.
  const real = (await world.owner.query<{ now: string }>(`SELECT statement_timestamp() AS now`)).rows[0]?.now ?? ''
  const literals = [new Date(BEGAN_MS).toISOString(), real].map((iso) => `timestamptz '${iso}'`)
  await world.owner.query(
    [
      `CREATE OR REPLACE FUNCTION hub_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS`,
      `$$ SELECT ${literals[0]} + (statement_timestamp() - ${literals[1]}) / 1000 + (SELECT shift FROM hub_clock) $$`,
    ].join(' '),
  )
  const { life } = world.node(NODES[0])
  await syncChannels(life.pools.worker, CHANNELS, new Map(CHANNELS.map(({ id }) => [id, { perSecond: 1_000, burst: 1_000 }])))
  return world
}
