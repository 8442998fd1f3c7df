import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startMeliSim } from '../../simulators/meli-sim/meli-sim.ts'
import { startOdooSim } from '../../simulators/odoo-sim/odoo-sim.ts'
import { startParisMock } from '../../simulators/paris-mock/paris-mock.ts'
import { channelProblems } from '../channel-settings.ts'
import { type Config, loadConfig } from '../config.ts'
import { withStartLock } from '../drivers/postgres/start-lock.ts'
import { writeInstance } from '../home.ts'
import { readIncidents, registerSeed, seedCommand, type SeedSummary } from './seed.ts'
import { liveTraffic, registerTraffic } from './traffic.ts'

describe('the list of incidents', () => {
  const incidents = readIncidents()
  const declared = incidents.map((one) => one.declared)

  test('holds at least twelve causes in at most forty orders, each named once', () => {
    expect(new Set(declared.map((one) => one.cause)).size).toBeGreaterThanOrEqual(12)
    expect(incidents.length).toBeLessThanOrEqual(40)
    expect(new Set(incidents.map((one) => one.reference)).size).toBe(incidents.length)
  })

  test('holds at least six dead letters, two of them inbound or owed to Odoo', () => {
    const dead = declared.filter((one) => one.state === 'dead')
    expect(dead.length).toBeGreaterThanOrEqual(6)
    expect(dead.filter((one) => one.channel === 'odoo' || one.cause === 'inbound-dead').length).toBeGreaterThanOrEqual(2)
  })

  test('names what people know: two dead letters towards MercadoLibre of different cause, and an order that arrived', () => {
    const of = (reference: string) => incidents.find((one) => one.reference === reference)?.declared
    expect(of('ML-98345')).toMatchObject({ state: 'dead', cause: 'sku-unknown', channel: 'mercadolibre:3000000111' })
    expect(of('ML-12345')).toMatchObject({ state: 'dead', cause: 'rejected-by-target', channel: 'mercadolibre:3000000111' })
    expect(of('ROSH-ORDER-0001')).toMatchObject({ state: 'delivered', cause: 'delivered' })
  })
})

describe('seeding', () => {
  let world: World
  let first: SeedSummary
  let counts: unknown
  beforeAll(async () => {
    world = await openWorld()
    first = await seed(world.config)
    counts = await world.counts()
  }, 120_000)
  afterAll(() => world.close())

  test('makes the Monday: 500 ERP orders, 300 marketplace orders, every incident that needs no hub', () => {
    const born = (system: string) => readIncidents().filter((one) => one.system === system && one.declared.cause !== 'inbound-dead').length
    expect(counts).toMatchObject({ erp: 500, paris: 100, purchases: 200 })
    expect(first.erpOrders).toEqual({ planned: 500 - born('odoo'), created: 500 - born('odoo') })
    expect(first.incidents.created).toBe(readIncidents().length)
    const late = readIncidents().filter((one) => one.plant.late?.steps.some((step) => step.until !== undefined))
    expect([...first.waiting].sort()).toEqual(late.map((one) => one.reference).sort())
  })

  test('a second run finds everything there and changes nothing', async () => {
    const again = await seed(world.config)
    expect(await world.counts()).toEqual(counts)
    expect([again.erpOrders, again.purchases, again.parisOrders, again.incidents].map((one) => one.created)).toEqual([0, 0, 0, 0])
  }, 60_000)

  test('the hub is spoken to at its webhook door alone', async () => {
    expect(world.heard.size).toBeGreaterThan(0)
    for (const path of world.heard) expect(path).toMatch(/^POST \/webhooks\/(paris|mercadolibre\/[^/]+|odoo\/[^/]+)$/)
    const { text } = await sourcesOfSeed()
    expect(text).not.toMatch(/drivers\/postgres|assembly\.ts|desk\.ts|flows\//)
  })

  test('the commands act on the simulators of the hub that runs in their home, and on none without one', async () => {
    const { home } = world.config
    await expect(rosh(home, 'traffic', '--burst', '5')).rejects.toMatchObject({ code: 'hub-not-running', exitCode: 3 })
    writeInstance(home, { pid: process.pid, startedAt: new Date().toISOString(), demo: true, urls: {}, ports: world.ports })
    await expect(rosh(home, 'seed'), 'left behind by a hub that is gone').rejects.toMatchObject({ code: 'hub-not-running' })
    await withStartLock(join(home, 'up.lock'), async () => {
      expect(JSON.parse(await rosh(home, 'seed', '--json'))).toMatchObject({ erpOrders: { created: 0 }, purchases: { created: 0 } })
      expect(JSON.parse(await rosh(home, 'traffic', '--burst', '5', '--json'))).toMatchObject({ orders: 1 })
    })
  }, 60_000)

  test('live traffic makes orders until it is stopped', async () => {
    const stopping = new AbortController()
    const told: string[] = []
    await liveTraffic({
      config: world.config,
      perMinute: 6_000,
      signal: stopping.signal,
      progress: (line) => void (told.push(line) >= 25 && stopping.abort()),
    })
    expect(told).toHaveLength(25)
    expect(told.filter((line) => line.startsWith('skipped'))).toEqual([])
  })

  test('a real system is never seeded, with or without consent', async () => {
    const real = { ...world.config, odoo: { ...world.config.odoo, simulated: false } }
    await expect(seed(real)).rejects.toThrow(/only with --yes/)
    await expect(seed(real, { yes: true })).rejects.toThrow(/Odoo at .* cannot be seeded/)
  })

  test('an aborted run ends at once', async () => {
    await expect(seed(world.config, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i)
  })
})

function seed(config: Config, more: { yes?: boolean; signal?: AbortSignal } = {}): Promise<SeedSummary> {
  return seedCommand({ config, json: true, patienceMs: 0, progress: () => {}, signal: new AbortController().signal, ...more })
}

/** Runs a command with nothing but its home in the environment; answers what it prints. */
async function rosh(home: string, ...args: string[]): Promise<string> {
  const printed: string[] = []
  const program = new Command('rosh').exitOverride()
  const print = (line: string): void => void printed.push(line)
  for (const register of [registerSeed, registerTraffic])
    register(program, { env: { ROSH_HOME: home }, signal: new AbortController().signal, print, progress: () => {} })
  await program.parseAsync(args, { from: 'user' })
  return printed.join('\n')
}

async function sourcesOfSeed(): Promise<{ text: string }> {
  const names = ['seed.ts', 'traffic.ts', 'seed/incident.ts', 'seed/simulator-api.ts', 'seed/erp-orders.ts', 'seed/paris-orders.ts']
  return { text: (await Promise.all(names.map((name) => readFile(join(import.meta.dirname, name), 'utf8')))).join('\n') }
}

interface World {
  config: Config
  /** As a running hub says where its parts are. */
  ports: Record<string, number>
  /** Method and path of every request that the hub's address got. */
  heard: Set<string>
  counts(): Promise<{ erp: number; purchases: number; meli: number; paris: number; partners: number; products: number }>
  close(): Promise<void>
}

/** Three simulators and a door that says 200, all on free ports. */
async function openWorld(): Promise<World> {
  const home = await mkdtemp(join(tmpdir(), 'rosh-seed-'))
  const ledgerPath = (name: string): string => join(home, `${name}.jsonl`)
  const [odoo, meli, paris] = await Promise.all([
    startOdooSim({ ledgerPath: ledgerPath('odoo') }),
    startMeliSim({ ledgerPath: ledgerPath('meli') }),
    startParisMock({ ledgerPath: ledgerPath('paris') }),
  ])
  const heard = new Set<string>()
  const door = await openDoor(heard)
  const env = { ODOO_SIM_PORT: String(odoo.port), MELI_SIM_PORT: String(meli.port), PARIS_MOCK_PORT: String(paris.port) }
  const httpPort = String((door.address() as AddressInfo).port)
  const config = loadConfig({ ...env, HTTP_PORT: httpPort, ROSH_HOME: home }, { demo: true })
  expect(channelProblems(config)).toEqual([])
  const ask = async (url: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const reply = await fetch(url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'x-admin-key': 'change-me', 'x-api-key': 'change-me', 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return (await reply.json()) as Record<string, unknown>
  }
  // As the hub does at its start: only an account that authorized the application is notified of anything.
  for (const id of config.file.mercadolibre.accounts) {
    await ask(meli.url, '/admin/accounts', { user_id: Number(id) })
    await ask(meli.url, `/admin/accounts/${id}/grant`, {})
  }
  const ports = { hub: Number(httpPort), 'odoo-sim': odoo.port, 'meli-sim': meli.port, 'paris-mock': paris.port }
  return {
    config,
    ports,
    heard,
    async counts() {
      const erp = (await ask(odoo.url, '/admin/state')) as { orders: { total: number }; partners: number; products: number }
      const { orders } = (await ask(meli.url, '/admin/orders')) as { orders: { nickname: string }[] }
      const parisOrders = (await ask(paris.url, '/orders?limit=200')) as unknown as unknown[]
      return {
        erp: erp.orders.total,
        purchases: new Set(orders.map((order) => order.nickname)).size,
        meli: orders.length,
        paris: parisOrders.length,
        partners: erp.partners,
        products: erp.products,
      }
    },
    async close() {
      await Promise.all([odoo.close(), meli.close(), paris.close()])
      door.closeAllConnections()
      door.close()
      await rm(home, { recursive: true, force: true })
    },
  }
}

function openDoor(heard: Set<string>): Promise<Server> {
  const door = createServer((request, response) => {
    heard.add(`${request.method} ${request.url}`)
    request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
  })
  return new Promise((resolve) => door.listen(0, '127.0.0.1', () => resolve(door)))
}
