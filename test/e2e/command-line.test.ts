import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CliError } from '../../src/cli/context.ts'
import { registerMigrate } from '../../src/cli/migrate.ts'
import { removeInstance, writeInstance } from '../../src/home.ts'
import { asHubOf, runRosh } from '../support/rosh.ts'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

describe('the rosh command against a running hub', () => {
  let running: RunningHub
  let printed: string[]
  let exitCode: typeof process.exitCode

  beforeAll(async () => {
    running = await startHub()
    await running.meli('POST', '/admin/unknown-skus', { skus: ['SKU-009'] })
    const order = {
      state: 'sale',
      team: 'MercadoLibre',
      client_order_ref: 'ML-4711',
      lines: [{ sku: 'SKU-009', quantity: 1, price: 5_000 }],
    }
    await running.odoo('POST', '/admin/orders', order)
    await until(async () => (await running.owner.query(`SELECT FROM delivery WHERE state = 'dead'`)).rowCount)
  })
  afterAll(() => running.stop())
  beforeEach(() => {
    printed = []
    exitCode = process.exitCode
    return () => {
      process.exitCode = exitCode
    }
  })

  async function rosh(...args: string[]): Promise<string> {
    await runRosh(running, args, (line) => printed.push(line))
    return printed.join('\n')
  }

  test('trace names the cause, the SKU and the next step, for people and as JSON', async () => {
    const text = await rosh('trace', 'ML-4711')
    expect(text).toMatch(/^sku-unknown/)
    expect(text).toContain('SKU-009')
    printed = []
    const { diagnosis } = JSON.parse(await rosh('trace', '4711', '--json')) as { diagnosis: { cause: string; deadLetter: string } }
    expect(diagnosis).toMatchObject({ cause: 'sku-unknown', deadLetter: expect.stringMatching(/^outbox-\d+$/) })
  })

  test('trace of what nobody knows says where it looked', async () => {
    expect(await rosh('trace', 'NOBODY-KNOWS-1')).toMatch(/^not-found-anywhere/)
  })

  test('dlq list counts; a replay puts back, and a second one is refused', async () => {
    expect(await rosh('dlq', 'list')).toMatch(/^1 dead letters of 1 orders\n {2}outbox-\d+ +ML-4711 +sku-unknown /)
    for (const line of printed.slice(0, -1)) expect(line.length).toBeLessThanOrEqual(80)
    printed = []
    expect(await rosh('dlq', 'list', '--csv')).toMatch(
      /^\ufeffid,order,channel,cause,died_at,tries,summary\r\noutbox-\d+,ML-4711,mercadolibre:1001,sku-unknown,2/,
    )
    await expect(rosh('dlq', 'list', '--csv', '--json')).rejects.toThrow(/--csv and --json exclude each other/)
    const id = /outbox-\d+/.exec(printed.join('\n'))?.[0] ?? ''
    await running.halt()
    expect(await rosh('dlq', 'replay', id, '--reason', 'test')).toContain(`${id} is pending again`)
    expect(await rosh('dlq', 'replay', id)).toContain('nothing changed')
    expect(process.exitCode).toBe(1)
    await running.restart()
    await until(async () => (await running.owner.query(`SELECT FROM delivery WHERE state = 'dead'`)).rowCount)
    const { rows } = await running.owner.query(
      `SELECT user_id, result_status FROM mcp_audit_log WHERE tool_name = 'rosh dlq replay' ORDER BY timestamp`,
    )
    expect(rows.map((r: { result_status: string }) => r.result_status)).toContain('ok')
  })

  test('a drain for people prints the second command whole, and each option that is wrong is named', async () => {
    const plan = await rosh('dlq', 'drain', '--cause', 'sku-unknown', '--archive')
    expect(plan).toMatch(/^1 of 1 matching dead letters would be archived; nothing changed yet/)
    const second = /rosh (dlq drain .*)$/m.exec(plan)?.[1]?.split(' ') ?? []
    printed = []
    expect(await rosh(...second.map((word) => (word === '1' ? '2' : word)))).toContain('--expect: this is not the count of the plan')
    expect(process.exitCode).toBe(1)
    await expect(rosh('dlq', 'drain', '--execute', 'x')).rejects.toThrow(/--execute and --expect go together/)
    await expect(rosh('dlq', 'list', '--cause', 'sku_unknown')).rejects.toThrow(/--cause: "sku_unknown"/)
    await expect(rosh('dlq', 'list', '--marketplace', 'ebay')).rejects.toThrow(
      /--marketplace: "ebay" is none; there are mercadolibre, mercadolibre:1001/,
    )
    await expect(rosh('dlq', 'drain', '--marketplace', 'paris:typo')).rejects.toThrow(/--marketplace: "paris:typo"/)
    for (const expected of ['', '1.0', '1e1', '-1'])
      await expect(rosh('dlq', 'drain', '--execute', 'x', `--expect=${expected}`)).rejects.toThrow(
        `--expect: "${expected}" is no whole number`,
      )
  })

  test('dlq drain lists first; with the token of that call it archives, and retry restores', async () => {
    const plan = JSON.parse(await rosh('dlq', 'drain', '--cause', 'sku-unknown', '--json')) as {
      kind: string
      count: number
      planToken: string
    }
    expect(plan).toMatchObject({ kind: 'planned', count: 1 })
    printed = []
    const done = await rosh('dlq', 'drain', '--cause', 'sku-unknown', '--archive', '--execute', plan.planToken, '--expect', '1', '--json')
    expect(JSON.parse(done)).toMatchObject({ kind: 'drained', action: 'archive' })
    printed = []
    expect(await rosh('dlq', 'list')).toMatch(/^0 dead letters/)
  })

  test('diagnose says what was ruled out, chaos makes only simulators fail, and an empty list explains itself', async () => {
    expect(await rosh('diagnose', 'ML-4711')).toMatch(/^sku-unknown[\s\S]*\nruled out\n {2}credentials-rejected /)
    printed = []
    expect(await rosh('dlq', 'list', '--cause', 'poison')).toMatch(/0 of them match$/)
    printed = []
    expect(await rosh('dlq', 'drain', '--cause', 'poison')).toBe('no dead letter matches; nothing to drain')
    printed = []
    await expect(rosh('chaos', 'list')).rejects.toThrow(/^hub-not-running/)
    await asHubOf(running, makeFaults)
  })

  async function makeFaults(): Promise<void> {
    await rosh('chaos', 'add', 'paris-mock', 'status', '--path', '^/nowhere$', '--times', '1')
    expect(await rosh('chaos', 'list')).toMatch(/paris-mock +status +fired 0 times path=\^\/nowhere\$ times=1/)
    printed = []
    await rosh('chaos', 'clear', 'paris-mock')
    expect(await rosh('chaos', 'list')).toContain('no fault is in force')
    await expect(rosh('chaos', 'add', 'postgres', 'reset')).rejects.toThrow(/<simulator>: "postgres"/)
    await expect(rosh('chaos', 'add', 'meli-sim', 'flaky')).rejects.toThrow(/"fault"/)
  }

  test('retry after the cause is gone delivers', async () => {
    await running.meli('DELETE', '/admin/unknown-skus')
    expect(await rosh('retry', '4711')).toMatch(/put back/)
    await until(
      async () =>
        (await running.owner.query(`SELECT FROM delivery WHERE channel <> 'odoo' AND kind = 'order' AND state = 'delivered'`)).rowCount,
    )
    expect(await rosh('retry', '4711')).toContain('nothing')
    await expect(rosh('retry', 'NOBODY-1')).rejects.toThrow('no order "NOBODY-1" is known')
  })

  test('bad input names itself', async () => {
    await expect(rosh('trace', ' ')).rejects.toThrow(CliError)
    await expect(rosh('dlq', 'list', '--since', 'yesterday')).rejects.toThrow(/--since: "yesterday"/)
    await expect(rosh('dlq', 'drain', '--expect', 'many')).rejects.toThrow(/--expect/)
    await expect(rosh('tokens', 'issue', 'x', 'everything')).rejects.toThrow(/scopes: "everything"/)
    await expect(rosh('tokens', 'issue', 'x', 'viewer', '--days', '0')).rejects.toThrow(/--days/)
    await expect(rosh('tokens', 'revoke', 'x')).rejects.toThrow(/no token number/)
  })

  test('a token is issued once and revoked at once', async () => {
    const issued = JSON.parse(await rosh('tokens', 'issue', 'agent-1', 'viewer', '--json')) as { id: string; token: string }
    expect(issued.token).toMatch(/^rosh_/)
    printed = []
    const listed = await rosh('tokens', 'list')
    expect(listed).toMatch(/rosh_\S{4}\.\.\. +live +agent-1/)
    expect(listed).not.toContain(issued.token)
    printed = []
    expect(await rosh('tokens', 'revoke', issued.id)).toContain('refused from now on')
    printed = []
    expect(await rosh('tokens', 'revoke', issued.id)).toContain('nothing changed')
  })

  test('doctor says what answers', async () => {
    const { findings } = JSON.parse(await rosh('doctor', '--json')) as { findings: { part: string; ok: boolean }[] }
    expect(findings.map((f) => [f.part, f.ok])).toEqual([
      ['database', true],
      ['odoo', true],
      ['mercadolibre:1001', true],
      ['mercadolibre:1002', true],
      ['paris:main', true],
    ])
    expect(await rosh('doctor')).toContain('ok   odoo')
  })

  test('auth --check names the connected accounts as MercadoLibre does', async () => {
    expect(await rosh('auth', 'mercadolibre', '--check')).toMatch(/^ok {3}mercadolibre:1001 +\S+ \(user 1001, site MLC\)$/m)
    expect(process.exitCode).toBeUndefined()
    await running.meli('POST', '/admin/accounts', { user_id: 1002, nickname: 'OTRA' })
    await running.meli('POST', '/admin/revoke', { user_id: 1002 })
    printed = []
    const { accounts } = JSON.parse(await rosh('auth', 'mercadolibre', '--check', '--json')) as { accounts: unknown[] }
    expect(accounts).toEqual([
      expect.objectContaining({ channel: 'mercadolibre:1001', ok: true, site: 'MLC' }),
      expect.objectContaining({ channel: 'mercadolibre:1002', ok: false, says: expect.stringContaining('run `rosh auth mercadolibre`') }),
    ])
    expect(process.exitCode).toBe(1)
  })

  test('auth ends by itself when the hub hears the answer', async () => {
    const ended = rosh('auth', 'mercadolibre', '--account', '1002')
    await until(async () => printed.some((line) => line.includes('/authorization?')))
    await fetch(await backFrom(printed.join('\n')))
    expect(await ended).toContain('mercadolibre:1002 is connected')
  })

  test('auth takes the pasted address or the bare code of a connection that was started before', async () => {
    for (const pasted of [(back: string) => back, (back: string) => new URL(back).searchParams.get('code') ?? '']) {
      printed = []
      const waiting = rosh('auth', 'mercadolibre', '--json')
      await until(async () => printed.length > 0)
      const back = await backFrom((JSON.parse(printed[0] ?? '') as { address: string }).address)
      await rosh('auth', 'mercadolibre', '--code', pasted(back))
      expect(JSON.parse((await waiting).split('\n').at(-1) ?? '')).toEqual({ kind: 'connected', channel: 'mercadolibre:1002' })
      expect(printed).toContainEqual(expect.stringContaining('mercadolibre:1002 is connected'))
    }
  })

  test('auth says plainly what was refused', async () => {
    expect(await rosh('auth', 'mercadolibre', '--code', 'https://hub.test/callback?state=none&code=TG-1')).toContain('not valid')
    const waiting = rosh('auth', 'mercadolibre')
    await until(async () => printed.some((line) => line.includes('/authorization?')))
    await fetch(await backFrom(printed.join('\n'), { deny: '' }))
    expect(await waiting).toContain('MercadoLibre answered access_denied.')
    expect(process.exitCode).toBe(1)
    await expect(rosh('auth', 'mercadolibre', '--code', 'https://hub.test/callback?code=TG-1')).rejects.toThrow(/no `code` and `state`/)
    await expect(rosh('auth', 'mercadolibre', '--code', 'two words')).rejects.toThrow(/--code/)
    await expect(rosh('auth', 'mercadolibre', '--account', 'TIENDA')).rejects.toThrow(/--account: "TIENDA"/)
  })

  /** Follows the address as account 1002's browser would; answers where the hub of this test hears it. */
  async function backFrom(text: string, more: Record<string, string> = { user_id: '1002' }): Promise<string> {
    const url = new URL(/https?:\S+\/authorization\?\S+/.exec(text)?.[0] ?? '')
    for (const [name, value] of Object.entries(more)) url.searchParams.set(name, value)
    const back = new URL((await fetch(url, { redirect: 'manual' })).headers.get('location') ?? '')
    return running.webhooks + back.pathname + back.search
  }

  test('status is ready only when everything is', async () => {
    // Parts that run by themselves leave no instance file; the database knows them by their heartbeats.
    const parts = JSON.parse(await rosh('status', '--json')) as { apps: { app: string; live: boolean }[] }
    expect(parts).toMatchObject({ ready: true, running: true, urls: {}, waiting: [] })
    expect(parts.apps.map(({ app, live }) => [app, live])).toEqual([
      ['reconciler', true],
      ['subscriber', true],
      ['worker', true],
    ])
    printed = []
    const urls = { hub: running.webhooks }
    writeInstance(running.home, { pid: process.pid, startedAt: new Date().toISOString(), demo: false, urls, ports: {}, seeded: true })
    printed = []
    expect(JSON.parse(await rosh('status', '--json'))).toMatchObject({ ready: true, waiting: [] })
    writeInstance(running.home, {
      pid: process.pid,
      startedAt: new Date().toISOString(),
      demo: false,
      urls: { hub: 'http://127.0.0.1:1' },
      ports: {},
      seeded: false,
    })
    printed = []
    const text = await rosh('status')
    expect(text).toMatch(/^not ready\n {2}hub does not answer/)
    expect(text).toMatch(/mercadolibre:1001 +open +0 +- +\d/)
    expect(text).toMatch(/the ERP was read \d+ s ago/)
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    removeInstance(running.home)
  })

  test('migrate on a database that is up to date does nothing', async () => {
    const program = new Command('rosh').exitOverride()
    const env = { ROSH_HOME: running.home, ROSH_CONFIG: join(running.home, 'hub.yaml'), DATABASE_URL: running.database.migratorUrl }
    registerMigrate(program, { env, signal: new AbortController().signal, print: (line) => printed.push(line), progress: () => {} })
    await program.parseAsync(['migrate', '--json'], { from: 'user' })
    expect(JSON.parse(printed[0] ?? '')).toEqual({ applied: [], embedded: false })
  })
})
