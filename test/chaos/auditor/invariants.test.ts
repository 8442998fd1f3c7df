// Over 300 lines because the planted breaches are one table, a row for each, beside the world that they all are planted in.
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { appendFile, copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AlteredWorld, startAlteredWorld } from '../altered-world.ts'
import { Plan } from '../plan.ts'
import { emptyRecord, keepRecord } from '../records.ts'
import type { Sample } from './sample-file.ts'
import { startSampler } from './sampler.ts'

/** What the program is given for one planted breach, and how the breach is taken back. */
interface Planted {
  /** As the witness names it. */
  order: string
  args?: string[]
  undo?: () => Promise<unknown>
}

describe('the auditor names the invariant and the order', () => {
  let world: AlteredWorld
  beforeAll(async () => {
    world = await startAlteredWorld()
  }, 240_000)
  afterAll(() => world?.running.stop())

  const file = (name: string): string => join(world.running.home, name)
  const sql = (text: string, ...values: unknown[]) => world.running.owner.query(text, values)

  function run(...more: string[]): Promise<{ code: number; out: string }> {
    const { ledgers, database, home } = world.running
    const named = `odoo=${ledgers.odoo},meli=${ledgers.meli},paris=${ledgers.paris}`
    const given = ['--database', database.migratorUrl, '--ledgers', named, '--config', `${home}/hub.yaml`, '--quiet-seconds', '0', ...more]
    return new Promise((resolve) => {
      const program = fileURLToPath(new URL('main.ts', import.meta.url))
      const child = execFile(process.execPath, [program, ...given], (_error, out, err) =>
        resolve({ code: child.exitCode ?? -1, out: out + err }),
      )
    })
  }

  /** An ERP order that stands at MercadoLibre, with its delivery there. */
  async function anOrder(): Promise<{ name: string; reference: string; delivery: string; silver: string; binding: string }> {
    const order = world.fresh.erpToMeli.pop()
    if (!order) throw new Error('the world has no order left for this case')
    const { rows } = await sql(
      `SELECT d.id::text AS delivery, b.order_id::text AS silver, b.id::text AS binding FROM delivery d JOIN binding b ON b.id = d.binding_id WHERE b.reference = $1`,
      `odoo-${order.id}`,
    )
    return { name: order.name, reference: `odoo-${order.id}`, ...rows[0] }
  }

  async function samples(...lines: Sample[]): Promise<string[]> {
    await writeFile(file('planted.samples.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    return ['--samples', file('planted.samples.jsonl')]
  }

  /** The ledgers with one more line, made of the last one that fits. */
  async function ledgerWith(
    system: 'odoo' | 'meli',
    from: (line: LedgerOrder) => boolean,
    change: (line: LedgerOrder) => object,
  ): Promise<string[]> {
    const { ledgers } = world.running
    const lines = (await readFile(ledgers[system], 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as LedgerOrder)
    const found = lines.findLast((line) => line.kind === 'order' && from(line))
    if (!found) throw new Error('no such line in the ledger')
    await copyFile(ledgers[system], file(`${system}.planted.jsonl`))
    await appendFile(file(`${system}.planted.jsonl`), `${JSON.stringify({ ...found, seq: lines.length + 1, ...change(found) })}\n`)
    return ['--ledgers', `odoo=${ledgers.odoo},meli=${ledgers.meli},paris=${ledgers.paris},${system}=${file(`${system}.planted.jsonl`)}`]
  }

  const at = (seconds: number): string => new Date(Date.UTC(2026, 10, 23, 9, 0, seconds)).toISOString()
  const channels = (seconds: number, failing: boolean): Sample => ({
    kind: 'channels',
    at: at(seconds),
    channels: [
      { id: 'paris:main', delivered: 5, due: 3, circuitOpenedAt: null, pausedAt: null, limitedUntil: null },
      { id: 'mercadolibre:1001', delivered: 5, due: 3, circuitOpenedAt: failing ? at(0) : null, pausedAt: null, limitedUntil: null },
    ],
  })
  const inbound = { accepted: 3, accounted: 3 }
  const erp = { observed: 4, planned: 1, nothingOwed: 1, notRouted: 1, quarantined: 1 }
  const versions = { planned: 4, delivered: 3, superseded: 1, pending: 0, ambiguous: 0, dead: 0 }
  const intend = (operation: string, phase: string, more: object) =>
    sql(`INSERT INTO audit (actor, body) VALUES ('somebody', $1)`, JSON.stringify({ operation_id: operation, phase, ...more }))

  /** One planted breach each. */
  const fixtures: Record<string, () => Promise<Planted>> = {
    async I1() {
      const { rows } = await sql(
        `UPDATE inbound_event SET state = 'pending', ended_at = NULL, due_at = hub_now() - interval '1 hour'
         WHERE id = (SELECT min(id) FROM inbound_event WHERE state = 'applied' AND order_key IS NOT NULL) RETURNING id, order_key`,
      )
      const undo = () => sql(`UPDATE inbound_event SET state = 'applied', ended_at = hub_now() WHERE id = $1`, rows[0].id)
      return { order: rows[0].order_key, undo }
    },
    async I2() {
      const { name, reference } = await anOrder()
      const args = await ledgerWith(
        'meli',
        (line) => line.reference === reference,
        ({ order }) => ({ act: 'created', id: '77001', order: { ...order, id: 77_001 } }),
      )
      return { order: name, args }
    },
    async I3() {
      const { name, delivery } = await anOrder()
      await sql(`UPDATE delivery SET state = 'dead', cause = NULL WHERE id = $1`, delivery)
      return { order: name, undo: () => sql(`UPDATE delivery SET state = 'delivered' WHERE id = $1`, delivery) }
    },
    async I4() {
      const { name, silver } = await anOrder()
      const { rows } = await sql(`SELECT canonical FROM silver_order WHERE id = $1`, silver)
      await sql(
        `UPDATE silver_order SET canonical = jsonb_set(canonical, '{payment}', '"refunded"'), payment = 'refunded' WHERE id = $1`,
        silver,
      )
      const { canonical } = rows[0]
      return {
        order: name,
        undo: () => sql(`UPDATE silver_order SET canonical = $2, payment = $3 WHERE id = $1`, silver, canonical, canonical.payment),
      }
    },
    async I5() {
      const { name, delivery } = await anOrder()
      const { rows } = await sql(`UPDATE attempt SET outcome = NULL, ended_at = NULL WHERE delivery_id = $1 RETURNING id`, delivery)
      const undo = () =>
        sql(
          `UPDATE attempt SET outcome = 'ok', ended_at = started_at WHERE id = ANY($1::bigint[])`,
          rows.map((row) => row.id),
        )
      return { order: name, undo }
    },
    async I6() {
      const { name, reference, delivery } = await anOrder()
      await intend('op-6', 'intent', { tool: 'replay_dlq_message', target: { kind: 'delivery', id: delivery } })
      await intend('op-6', 'outcome', { result: 'ok' })
      await sql(`UPDATE delivery SET replays = 1 WHERE id = $1`, delivery)
      const args = await ledgerWith(
        'meli',
        (line) => line.reference === reference,
        ({ order }) => ({ act: 'created', id: '77002', order: { ...order, id: 77_002 } }),
      )
      return { order: name, args, undo: () => sql(`UPDATE delivery SET replays = 0 WHERE id = $1`, delivery) }
    },
    async I7() {
      const { name, delivery } = await anOrder()
      await sql(`UPDATE delivery SET replays = 1 WHERE id = $1`, delivery)
      return { order: name, undo: () => sql(`UPDATE delivery SET replays = 0 WHERE id = $1`, delivery) }
    },
    async I8() {
      const session = { pid: 4711, application: 'rosh worker', state: 'idle in transaction', transactionMs: 900, query: 'UPDATE delivery' }
      return { order: 'rosh worker pid 4711', args: await samples({ kind: 'sessions', at: at(1), sessions: [session] }) }
    },
    async I9() {
      return {
        order: 'channel paris:main',
        args: await samples(...Array.from({ length: 11 }, (_, i) => 2 * i).map((seconds) => channels(seconds, true))),
      }
    },
    async I10() {
      const { name, delivery } = await anOrder()
      const { rows } = await sql(`SELECT tries FROM delivery WHERE id = $1`, delivery)
      await sql(`UPDATE delivery SET tries = max_tries + 1 WHERE id = $1`, delivery)
      return { order: name, undo: () => sql(`UPDATE delivery SET tries = $2 WHERE id = $1`, delivery, rows[0].tries) }
    },
    async I11() {
      const { name, delivery } = await anOrder()
      const { rows } = await sql(
        `INSERT INTO attempt (delivery_id, channel, purpose, operation, lease, started_at, ended_at, outcome)
         SELECT id, channel, 'send', 'create', 9000000, ended_at - interval '1 ms', ended_at, 'unknown' FROM delivery WHERE id = $1 RETURNING id`,
        delivery,
      )
      return { order: name, undo: () => sql(`DELETE FROM attempt WHERE id = $1`, rows[0].id) }
    },
    async I12() {
      const { reference, binding } = await anOrder()
      await sql(`UPDATE binding SET next_version = next_version + 1 WHERE id = $1`, binding)
      return { order: reference, undo: () => sql(`UPDATE binding SET next_version = next_version - 1 WHERE id = $1`, binding) }
    },
    async I13() {
      const { name, delivery } = await anOrder()
      await sql(`UPDATE delivery SET summary = 'refused for Canario Personal' WHERE id = $1`, delivery)
      await writeFile(file('canaries.json'), JSON.stringify({ personal: ['Canario Personal'] }))
      const undo = () => sql(`UPDATE delivery SET summary = NULL WHERE id = $1`, delivery)
      return { order: name, args: ['--canaries', file('canaries.json')], undo }
    },
    async I14() {
      await writeFile(file('canaries.json'), JSON.stringify({ secrets: ['canario-secreto-1'] }))
      await writeFile(file('hub.log'), 'started\nheader x-api-key canario-secreto-1\n')
      return { order: 'hub.log line 2', args: ['--canaries', file('canaries.json'), '--scan', file('hub.log')] }
    },
    async I15() {
      const { name, reference } = await anOrder()
      const id = Number(reference.replace('odoo-', ''))
      const args = await ledgerWith(
        'odoo',
        (line) => line.id === String(id),
        ({ rows }) => ({ act: 'updated', by: 'client', rows: [['sale.order', id, { ...rowIn(rows, id), note: 'changed terms' }]] }),
      )
      return { order: name, args }
    },
  }

  test('and finds none in a world where nothing is wrong, samples, canaries and logs included', async () => {
    const { database } = world.running
    const sampler = await startSampler({
      databaseUrl: database.migratorUrl,
      hubUrl: database.url,
      file: file('samples.jsonl'),
      everyMs: 60_000,
    })
    await sampler.sample()
    await sampler.stop()
    const call: Sample = { kind: 'call', at: at(2), system: 'paris:main', request: '4711', openTransactions: 0 }
    const idle = { pid: 1, application: 'rosh bus', state: 'idle', transactionMs: 9_000, query: 'LISTEN rosh_inbound' }
    const listener: Sample = { kind: 'sessions', at: at(2), sessions: [idle] }
    await appendFile(file('samples.jsonl'), `${JSON.stringify(call)}\n${JSON.stringify(listener)}\n`)
    await writeFile(file('canaries.json'), JSON.stringify({ personal: ['Canario Personal'], secrets: ['canario-secreto-1'] }))
    await writeFile(file('hub.log'), 'nothing of interest\n')
    const given = ['--samples', file('samples.jsonl'), '--canaries', file('canaries.json'), '--scan', file('hub.log')]
    const { code, out } = await run(...given)
    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringContaining('hold: I1 I2 I3 I4 I5 I6 I7 I8 I9 I10 I11 I12 I13 I14 I15'),
    })
  }, 60_000)

  for (const [invariant, plant] of Object.entries(fixtures))
    test(`of a planted breach of ${invariant}, and ends with 1`, async () => {
      const { order, args = [], undo } = await plant()
      const { code, out } = await run(...args)
      await undo?.()
      expect(code).toBe(1)
      expect(out).toMatch(new RegExp(`^${invariant} (DOUBLED )?${order.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}[ :]`, 'm'))
    }, 60_000)

  test('of a delivery that ended twice', async () => {
    const { name, delivery } = await anOrder()
    const { rows } = await sql(
      `INSERT INTO order_event (event_id, event_type, aggregate_type, aggregate_id, aggregate_version, occurred_at, payload)
       VALUES (gen_random_uuid(), 'delivery.delivered', 'delivery', $1, 99, now(), '{}') RETURNING id`,
      delivery,
    )
    const { code, out } = await run()
    await sql(`DELETE FROM order_event WHERE id = $1`, rows[0].id)
    expect(code).toBe(1)
    expect(out).toMatch(new RegExp(`^I11 ${name}[ :].*ended 2 times`, 'm'))
  }, 60_000)

  test('of an audit row whose content was changed', async () => {
    await sql(`ALTER TABLE audit DISABLE TRIGGER audit_no_change`)
    await sql(`UPDATE audit SET body = replace(body, 'replay_dlq_message', 'drain_dlq') WHERE seq = (SELECT min(seq) FROM audit)`)
    const { code, out } = await run()
    await sql(`UPDATE audit SET body = replace(body, 'drain_dlq', 'replay_dlq_message') WHERE seq = (SELECT min(seq) FROM audit)`)
    await sql(`ALTER TABLE audit ENABLE TRIGGER audit_no_change`)
    expect(code).toBe(1)
    expect(out).toMatch(/^I7 audit \d+ \[audit\.hash\]/m)
  }, 60_000)

  test('of an intent that nobody closed, though a process of an operator was killed; not while the hub has time to close it', async () => {
    await intend('op-16', 'intent', { tool: 'replay_dlq_message' })
    const killed = () => run('--scenario', 'K16')
    expect(await killed()).toMatchObject({ code: 0 })
    expect(await run()).toMatchObject({ code: 1 })
    await sql(`UPDATE hub_clock SET shift = shift + interval '15 min'`)
    const late = await killed()
    await sql(`UPDATE hub_clock SET shift = shift - interval '15 min'`)
    await intend('op-16', 'outcome', { result: 'unknown' })
    expect(late).toMatchObject({ code: 1, out: expect.stringMatching(/^I7 audit \d+ .*the intent op-16 has no outcome/m) })
    expect(await killed()).toMatchObject({ code: 0 })
  }, 60_000)

  test('of a snapshot whose sums do not add up, and of a call inside a transaction', async () => {
    const call: Sample = { kind: 'call', at: at(2), system: 'paris:main', request: '4711', openTransactions: 1 }
    const whole: Sample = { kind: 'sums', at: at(0), inbound, erp, deliveries: versions }
    expect(await run(...(await samples(whole)))).toMatchObject({ code: 0 })
    const lacking: Sample[] = [
      { ...whole, at: at(1), inbound: { ...inbound, accepted: 4 } },
      { ...whole, at: at(2), erp: { ...erp, observed: 5 } },
      { ...whole, at: at(3), deliveries: { ...versions, planned: 5 } },
    ]
    const { out } = await run(...(await samples(whole, call, ...lacking)))
    expect(out).toMatch(/^I12 snapshot 2026-11-23T09:00:01.000Z \[inbound_request\]/m)
    expect(out).toMatch(/^I12 snapshot 2026-11-23T09:00:02.000Z \[silver_order\]/m)
    expect(out).toMatch(/^I12 snapshot 2026-11-23T09:00:03.000Z \[delivery\]/m)
    expect(out).toMatch(/^I8 4711 /m)
  }, 60_000)

  test('of a notification that a marketplace took, and of any other write; not of one of another run that was refused', async () => {
    const post = { kind: 'request', requestId: null, method: 'POST', decision: 'other' }
    const posted = async (path: string, status: number | null) =>
      run(
        ...(await ledgerWith(
          'meli',
          () => true,
          () => ({ ...post, path, status }),
        )),
      )
    expect(await posted('/webhooks/mercadolibre/secret', 401)).toMatchObject({ code: 0 })
    expect(await posted('/webhooks/paris?again', null)).toMatchObject({ code: 0 })
    for (const [path, status] of [
      ['/webhooks/mercadolibre/secret', 200],
      ['/webhooks/orders', 401],
      ['/orders', 401],
    ] as const) {
      const { code, out } = await posted(path, status)
      expect({ code, out }).toEqual({
        code: 1,
        out: expect.stringContaining(`I5 - [attempt]: a write without a request id: POST ${path} at meli`),
      })
    }
  }, 60_000)

  /** The program with what a sampler sees now. */
  async function sampledNow(): Promise<string[]> {
    const { database } = world.running
    const path = file(`now-${randomUUID()}.jsonl`)
    const sampler = await startSampler({ databaseUrl: database.migratorUrl, hubUrl: database.url, file: path, everyMs: 60_000 })
    await sampler.stop()
    return ['--samples', path]
  }

  for (const verdict of ['accepted', 'conflict'])
    test(`of a request with the verdict ${verdict} whose event vanished, in the tables and in a snapshot`, async () => {
      const { rows } = await sql(
        `INSERT INTO inbound_request (path, verdict, headers, body_sha256, body_bytes) VALUES ('/planted', $1, '{}', '\\x00', 0) RETURNING id`,
        verdict,
      )
      const seen = await sampledNow()
      const inTables = await run()
      await sql(`DELETE FROM inbound_request WHERE id = $1`, rows[0].id)
      expect(inTables.out).toMatch(new RegExp(`^I12 inbound_request ${rows[0].id}[ :]`, 'm'))
      expect((await run(...seen)).out).toMatch(/^I12 snapshot .* \[inbound_request\]/m)
    }, 60_000)

  test('of an order that is planned at one of the two channels of its route, in the tables and in a snapshot', async () => {
    const { name, silver } = await anOrder()
    const { rows } = await sql(`SELECT route FROM silver_order WHERE id = $1`, silver)
    await sql(
      `UPDATE silver_order SET route = jsonb_set(route, '{channels}', (route -> 'channels') || '["paris:main"]') WHERE id = $1`,
      silver,
    )
    const seen = await sampledNow()
    const inTables = await run()
    await sql(`UPDATE silver_order SET route = $2 WHERE id = $1`, silver, rows[0].route)
    expect(inTables.out).toMatch(new RegExp(`^I12 ${name} .*routed to paris:main, and nothing is planned there`, 'm'))
    expect((await run(...seen)).out).toMatch(/^I12 snapshot .* \[silver_order\]/m)
  }, 60_000)

  test('and takes out what the injected scenario must break, and nothing else', async () => {
    const old: Sample = {
      kind: 'sessions',
      at: at(1),
      sessions: [{ pid: 1, application: 'rosh worker', state: 'active', transactionMs: 5_000, query: 'SELECT' }],
    }
    const args = await samples(old)
    expect(await run(...args, '--scenario', 'D3')).toMatchObject({ code: 0, out: expect.stringContaining('1 excepted') })
    expect(await run(...args, '--scenario', 'D5')).toMatchObject({ code: 1 })
    expect(await run(...args, '--longest-transaction-ms', '6000')).toMatchObject({ code: 0 })
    // It was open from -4 to 1: what two freezes leave of it is judged.
    const frozen = (from: number, to: number): Sample => ({ kind: 'frozen', at: at(from), until: at(to) })
    expect(await run(...(await samples(old, frozen(-2, 3), frozen(-5, -1))))).toMatchObject({ code: 0 })
    expect(await run(...(await samples(old, frozen(-2, 3), frozen(-5, -3))))).toMatchObject({ code: 1 })
    const call: Sample = { kind: 'call', at: at(2), system: 'paris:main', request: '4711', openTransactions: 1 }
    expect(await run(...(await samples(call)), '--scenario', 'D3')).toMatchObject({ code: 1 })
  }, 60_000)

  test('and finds no stall in the time of a freeze', async () => {
    const stalled = Array.from({ length: 11 }, (_, i) => channels(2 * i, true))
    const frozen = (seconds: number): Sample => ({ kind: 'frozen', at: at(3), until: at(3 + seconds) })
    expect(await run(...(await samples(...stalled, frozen(4))))).toMatchObject({ code: 1 })
    expect(await run(...(await samples(...stalled, frozen(10))))).toMatchObject({ code: 0 })
  }, 60_000)

  test('and finds no stall where the hub’s clock was moved between two samples', async () => {
    expect(await run(...(await samples(channels(0, true), channels(3_600, true))))).toMatchObject({ code: 0 })
  }, 60_000)

  test('of an intent through a limit that a sample showed; not through one that the harness lifted before', async () => {
    const { rows } = await sql(`SELECT min(started_at) AS first FROM attempt WHERE purpose = 'send' AND channel = 'mercadolibre:1001'`)
    const around = (ms: number): string => new Date(Date.parse(rows[0].first) + ms).toISOString()
    const limited = (ms: number, limitedUntil: string | null): Sample => ({
      kind: 'channels',
      at: around(ms),
      channels: [{ id: 'mercadolibre:1001', delivered: 0, due: 1, circuitOpenedAt: null, pausedAt: null, limitedUntil }],
    })
    const { code, out } = await run(...(await samples(limited(-9_000, around(5_000)), limited(-8_000, around(5_000)))))
    expect(code).toBe(1)
    expect(out).toMatch(/^I10 .*through the limit of mercadolibre:1001/m)
    const lowered = [limited(-9_000, around(5_000)), limited(-8_000, null)]
    expect(await run(...(await samples(...lowered)))).toMatchObject({ code: 1 })
    const lifted: Sample = { kind: 'lifted', at: around(-7_500), channel: 'mercadolibre:1001' }
    expect(await run(...(await samples(...lowered, lifted)))).toMatchObject({ code: 0 })
  }, 60_000)

  test('of a token in a log, whether it was planted or not', async () => {
    await writeFile(file('hub.log'), 'started\nTG-0123456789abcdef01234567-1001 was refused\n')
    const { code, out } = await run('--scan', file('hub.log'))
    expect(code).toBe(1)
    expect(out).toMatch(/^I14 hub.log line 2[ :]/m)
  }, 60_000)

  test('with the seed and the command that makes the run again', async () => {
    const { delivery, name } = await anOrder()
    await sql(`UPDATE delivery SET state = 'dead', cause = NULL WHERE id = $1`, delivery)
    const plan = Plan.parse({ id: 'K9-123', row: 'K9', title: 'killed', script: 'matrix', seed: 123 })
    keepRecord(emptyRecord(plan, 'abc'), world.running.home)
    const { out } = await run('--record', file('K9-123.json'))
    await sql(`UPDATE delivery SET state = 'delivered' WHERE id = $1`, delivery)
    expect(out).toContain(`seed 123, replay: npm run chaos -- --replay ${file('K9-123.json')}`)
    const witness = out.slice(out.indexOf(`I3 ${name}`)).split('seed 123')[0]
    expect(witness).toMatch(/delivery \d+: version 1 for mercadolibre:1001 planned[\s\S]*attempt \d+ send create@mercadolibre:1001 ok/)
  }, 60_000)

  test('and is green again when everything planted was taken back', async () => {
    expect(await run()).toMatchObject({ code: 0, out: expect.stringContaining('no breach') })
  }, 60_000)
})

interface LedgerOrder {
  kind: string
  id: string
  reference: string | null
  order: Record<string, unknown>
  rows: [string, number, Record<string, unknown>][]
}

const rowIn = (rows: LedgerOrder['rows'], id: number): object =>
  rows.find(([model, row]) => model === 'sale.order' && row === id)?.[2] ?? {}
