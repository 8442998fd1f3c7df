import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { odooOptions } from './driver-settings.ts'
import { channelProblems, channelsOf, concurrencyOf } from './channel-settings.ts'
import { type Config, ConfigError, loadConfig } from './config.ts'

let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'rosh-config-'))
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

function yaml(text: string): string {
  const path = join(home, `${Math.random()}.yaml`)
  writeFileSync(path, text)
  return path
}

const load = (env: Record<string, string> = {}, demo = false): Config =>
  loadConfig({ ROSH_HOME: home, ROSH_CONFIG: yaml('{}'), ...env }, { demo })

function problemsOf(env: Record<string, string>, demo = false): string[] {
  try {
    load(env, demo)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('the configuration', () => {
  test('on embedded defaults everything is simulated, and every secret but the simulator key is generated', () => {
    const config = load()
    expect([config.odoo.simulated, config.mercadolibre.simulated, config.paris.simulated]).toEqual([true, true, true])
    expect(config.databaseUrl).toBeNull()
    expect(config.httpPort).toBe(8000)
    expect(config.paris.apiSecret.reveal()).toHaveLength(43)
    expect(load().paris.apiSecret.reveal()).toBe(config.paris.apiSecret.reveal())
  })

  test('names every problem at once, each with its variable', () => {
    const problems = problemsOf({ HTTP_PORT: 'x', ODOO_URL: 'ftp://odoo', OUTBOX_MAX_ATTEMPTS: '0', ENV: 'prod' })
    expect(problems.map((p) => p.split(':')[0]).sort()).toEqual(['ENV', 'HTTP_PORT', 'ODOO_URL', 'OUTBOX_MAX_ATTEMPTS'])
  })

  test('a real part needs all of its variables', () => {
    expect(problemsOf({ ODOO_URL: 'https://odoo.example' })).toEqual([
      'ODOO_DB: needed because ODOO_URL is set',
      'ODOO_USER: needed because ODOO_URL is set',
      'ODOO_PASSWORD: needed because ODOO_URL is set',
    ])
  })

  test.each([
    ['PARIS_API_SECRET', 'change-me'],
    ['ML_WEBHOOK_SECRET', 'short'],
    ['ODOO_WEBHOOK_PATH_SECRET', 'change-me'],
  ])('%s=%s is refused', (name, value) => {
    expect(problemsOf({ [name]: value })[0]).toMatch(new RegExp(`^${name}: `))
  })

  test('a second key of Odoo needs the first', () => {
    const odoo = { ODOO_URL: 'https://o.example', ODOO_DB: 'd', ODOO_USER: 'u' }
    expect(problemsOf({ ...odoo, ODOO_PASSWORD_NEXT: 'second' })).toContainEqual(expect.stringMatching(/^ODOO_PASSWORD: needed because/))
    expect(load({ ...odoo, ODOO_PASSWORD: 'first', ODOO_PASSWORD_NEXT: 'second' }).odoo.nextPassword?.reveal()).toBe('second')
    expect(load({ ...odoo, ODOO_PASSWORD: 'first' }).odoo.nextPassword).toBeNull()
  })

  test('the demo reconciles often, unless told otherwise; a production hub does not', () => {
    expect(load({}, true).variables.RECONCILER_INTERVAL_SECONDS).toBe(20)
    expect(load({ RECONCILER_INTERVAL_SECONDS: '300' }, true).variables.RECONCILER_INTERVAL_SECONDS).toBe(300)
    expect(load().variables.RECONCILER_INTERVAL_SECONDS).toBe(900)
  })

  test('demo mode is refused in production and ends when a part is real', () => {
    expect(problemsOf({ ENV: 'production' }, true)[0]).toMatch(/^ENV: /)
    const real = { PARIS_BASE_URL: 'https://paris.example', PARIS_API_KEY: 'a-real-key', PARIS_API_SECRET: 'a-secret-of-some-length' }
    expect(load(real, true).demo).toBe(false)
    expect(load({}, true).demo).toBe(true)
  })

  test('the database is composed of its parts, and DATABASE_URL wins', () => {
    const parts = { APP_DB_HOST: 'db', APP_DB_USER: 'hub', APP_DB_PASSWORD: 'p@ss', APP_DB_NAME: 'orders' }
    expect(load(parts).databaseUrl?.reveal()).toBe('postgresql://hub:p%40ss@db:5432/orders')
    expect(load({ ...parts, DATABASE_URL: 'postgresql://one/two' }).databaseUrl?.reveal()).toBe('postgresql://one/two')
  })

  test('HTTP_PORT wins over PORT', () => {
    expect(load({ PORT: '8080' }).httpPort).toBe(8080)
    expect(load({ PORT: '8080', HTTP_PORT: '8001' }).httpPort).toBe(8001)
  })

  test('a variable that no longer applies is named with its replacement', () => {
    expect(load({ PUBSUB_PROJECT_ID: 'x' }).warnings[0]).toMatch(/^PUBSUB_PROJECT_ID does not apply: /)
  })

  test('a secret prints as [secret] wherever it lands', () => {
    const { password } = load({ ODOO_URL: 'https://o.example', ODOO_DB: 'd', ODOO_USER: 'u', ODOO_PASSWORD: 'hunter2hunter2' }).odoo
    expect(`${password} ${JSON.stringify({ password })} ${inspect({ password })}`).not.toContain('hunter2')
  })

  test('a YAML field that does not fit is named with its file', () => {
    expect(problemsOf({ ROSH_CONFIG: yaml('routing: [{ name: x, when: {}, to: 3 }]') })[0]).toMatch(/routing\.0\.to/)
    expect(problemsOf({ ROSH_CONFIG: yaml('a: [') })[0]).toMatch(/not readable as YAML/)
    expect(problemsOf({ ROSH_CONFIG: '/nowhere.yaml' })[0]).toMatch(/^ROSH_CONFIG: there is no file/)
    expect(problemsOf({ ROSH_CONFIG: yaml('unknown: 1') })).toHaveLength(1)
  })
})

describe('the channels', () => {
  const file = `
mercadolibre: { accounts: ['1001'] }
channels: { 'mercadolibre:1001': { concurrency: 3, timing: { timeoutMs: 900 } }, 'paris:main': { enabled: false } }`

  test('declare what the configured mode can do: a real seller cannot create orders', () => {
    const real = { ML_CLIENT_ID: '1', ML_CLIENT_SECRET: 'x', ML_REDIRECT_URI: 'https://hub.example/cb' }
    const of = (env: Record<string, string>) =>
      channelsOf(load({ ROSH_CONFIG: yaml(file), ...env })).find((c) => c.marketplace === 'mercadolibre')
    expect(of({})?.capabilities).toMatchObject({ createOrder: true, updateStock: true, pushFulfilment: true })
    expect(of(real)?.capabilities).toMatchObject({ createOrder: false, updateOrder: false, cancelOrder: false, updateStock: true })
  })

  test('take their settings from the file', () => {
    const config = load({ ROSH_CONFIG: yaml(file) })
    expect(concurrencyOf(config, 'mercadolibre:1001')).toBe(3)
    expect(channelsOf(config).map((c) => [c.id, c.enabled, c.timing.timeoutMs])).toEqual([
      ['odoo', true, 90_000],
      ['mercadolibre:1001', true, 900],
      ['paris:main', false, 15_000],
    ])
  })

  test('a SKU map that could not be put back is named', () => {
    const bad = yaml(`
channels: { 'paris:main': { skuMap: { A: X, B: X, X: Y } } }`)
    expect(channelProblems(load({ ROSH_CONFIG: bad }))).toEqual([
      'channels.paris:main.skuMap: two SKUs stand for X',
      'channels.paris:main.skuMap: X stands on both sides',
    ])
    expect(channelProblems(load({ ROSH_CONFIG: yaml(`channels: { 'paris:main': { skuMap: { A: X, B: B } } }`) }))).toEqual([])
  })

  test('a status map with an unknown word, or with an entry that nothing reads, is named with what it takes', () => {
    const of = (channel: string, map: string) => ({
      ROSH_CONFIG: yaml(`\nmercadolibre: { accounts: ['1001'] }\nchannels: { '${channel}': { statusMap: ${map} } }`),
    })
    expect(problemsOf(of('mercadolibre:1001', '{ shipment: { in_customs: shiped, lost: null } }'))).toEqual([
      expect.stringMatching(
        /channels\.mercadolibre:1001\.statusMap\.shipment\.in_customs: "shiped" is no fulfilment; it takes none, .*shipped/,
      ),
    ])
    expect(problemsOf(of('paris:main', '{ order: { x: { lifecycle: done, state: 1 } } }'))).toHaveLength(2)
    const problems = (channel: string, map: string) => channelProblems(load(of(channel, map)))
    expect(
      problems('mercadolibre:1001', '{ shipment: { in_customs: shipped }, pack: { p: open }, order: { o: { payment: paid } } }'),
    ).toEqual([])
    expect(problems('paris:main', '{ order: { x: { lifecycle: open, fulfilment: shipped } } }')).toEqual([])
    expect(problems('odoo', '{ order: {} }')).toEqual(['channels.odoo.statusMap: only marketplaces have one'])
    expect(problems('paris:main', '{ shipment: { x: shipped }, order: { y: { payment: paid } } }')).toEqual([
      'channels.paris:main.statusMap.shipment: the marketplace shows no shipment; put the status under order',
      'channels.paris:main.statusMap.order.y.payment: not read; Paris shows paid orders alone',
    ])
    expect(problems('mercadolibre:1001', '{ order: { x: { fulfilment: shipped } } }')).toEqual([
      'channels.mercadolibre:1001.statusMap.order.x.fulfilment: not read; its shipments say that: put it under shipment',
    ])
  })

  test('the warehouses reach the drivers, and one that stands at the wrong channel is named', () => {
    const at = { storeId: '7', networkNodeId: 'MLC-7' }
    const good = load({
      ROSH_CONFIG: yaml(
        `\nmercadolibre: { accounts: ['1001'] }\nchannels: { odoo: { warehouseId: 3 }, 'mercadolibre:1001': { warehouse: { storeId: '7', networkNodeId: MLC-7 } } }`,
      ),
    })
    expect(channelProblems(good)).toEqual([])
    expect(odooOptions(good, channelsOf(good))).toMatchObject({ warehouseId: 3, marginMs: 2_000 })
    expect(good.file.channels['mercadolibre:1001']?.warehouse).toEqual(at)
    const bad = load({ ROSH_CONFIG: yaml(`channels: { 'paris:main': { warehouseId: 3, warehouse: { storeId: '7', networkNodeId: x } } }`) })
    expect(channelProblems(bad)).toEqual([
      'channels.paris:main.warehouse: only MercadoLibre accounts have one',
      'channels.paris:main.warehouseId: stands under channels.odoo',
    ])
  })

  test('a lease that is too short, a stranger and a rule that leads nowhere are named', () => {
    const bad = yaml(`
channels: { odoo: { timing: { leaseMs: 300 } }, 'mercadolibre:9': {} }
routing: [{ name: r, when: {}, to: ['ripley'] }]`)
    const problems = channelProblems(load({ ROSH_CONFIG: bad }))
    expect(problems).toHaveLength(3)
    expect(problems[0]).toMatch(/leaseMs \(300\) must exceed/)
  })
})
