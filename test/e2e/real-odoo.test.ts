import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isUp } from '../conformance/odoo-14-world.ts'
import { audit } from '../chaos/auditor/audit.ts'
import { type OdooRecorder, recordOdoo, type Rpc } from '../support/odoo-recorder.ts'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'

const url = process.env.REAL_ODOO_URL ?? `http://127.0.0.1:${process.env.REAL_ODOO_PORT ?? '8069'}`
const DB = 'e2e'
const EACH_WAY = 20
const up = await isUp({ url, pgPort: 0 })
const reason = `no real Odoo 14 answers at ${url}: start one with real-odoo14.sh start`
if (!up) console.warn(`skipped: ${reason}`)

test.runIf(process.env.REQUIRE_ALL === '1')('a real Odoo 14 is there when everything must run', () => {
  expect(up ? 'up' : reason).toBe('up')
})

async function administrator(): Promise<Rpc> {
  const call = async (service: string, method: string, args: unknown[]): Promise<unknown> => {
    const body = JSON.stringify({ jsonrpc: '2.0', method: 'call', id: 1, params: { service, method, args } })
    const reply = await fetch(`${url}/jsonrpc`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    const answer = (await reply.json()) as { result?: unknown; error?: { data: { name: string; message: string } } }
    if (answer.error) throw new Error(`${answer.error.data.name}: ${answer.error.data.message}`)
    return answer.result
  }
  const uid = await call('common', 'authenticate', [DB, 'admin', 'admin', {}])
  return async <T>(model: string, method: string, args: unknown[], named: Record<string, unknown> = {}) =>
    (await call('object', 'execute_kw', [DB, uid, 'admin', model, method, args, named])) as T
}

interface Sale {
  id: number
  state: string
  amount_total: number
  client_order_ref: string | false
  order_line: number[]
}

describe.skipIf(!up)('the whole hub on a real Odoo 14, twenty orders each way', () => {
  const run = `${Date.now()}`
  const sku = `E2E-${run}`
  // A seller of this run: the simulator counts its ids from the same number every time, and Odoo remembers those of earlier runs.
  const seller = Number(run.slice(-9))
  let admin: Rpc
  let folder: string
  let recorder: OdooRecorder
  let running: RunningHub
  let erpIds: number[] = []
  let bought: { pack: string; total: number }[] = []

  beforeAll(async () => {
    admin = await administrator()
    const taxId = await includedTax(admin)
    const team = await admin<number>('crm.team', 'create', [{ name: `E2E ${run}` }])
    await admin('product.product', 'create', [{ name: sku, default_code: sku, type: 'product', list_price: 10_000 }])
    folder = await mkdtemp(join(tmpdir(), 'rosh-real-odoo-'))
    recorder = await recordOdoo({ target: url, ledgerPath: join(folder, 'odoo.ledger.jsonl'), admin })
    running = await startHub({
      yaml: `
mercadolibre: { accounts: ['${seller}'] }
collectSince: '${new Date(Date.now() - 120_000).toISOString()}'
taxMode: { kind: price-included-tax, taxId: ${taxId} }
collectOverlapSeconds: 60
compareAfterSeconds: 3600
backoffScale: 0.2
routing:
  - { name: this run, when: { team: 'E2E ${run}' }, to: ['mercadolibre:${seller}'] }
  - { name: everything else stays, when: {}, to: [] }
channels: { odoo: { timing: { timeoutMs: 30000, marginMs: 2000, settleMs: 2000, leaseMs: 40000 } } }
`,
      env: { ODOO_URL: recorder.url, ODOO_DB: DB, ODOO_USER: 'hub@example.com', ODOO_PASSWORD: 'hub', RECONCILER_INTERVAL_SECONDS: '60' },
    })
    erpIds = await erpOrders(admin, team)
    bought = await purchases()
  }, 120_000)
  afterAll(async () => {
    await running.stop()
    await recorder.close()
    await rm(folder, { recursive: true })
  })

  /** What stands in the way, in one line: the end of a log shows no more of a failure. */
  async function picture(): Promise<string> {
    const { rows } = await running.owner.query<{ told: string }>(
      `SELECT concat_ws(' ', 'channel', id, pause_cause, circuit_failures, circuit_opened_at, limited_until) AS told FROM channel
       UNION ALL SELECT concat_ws(' ', 'cursor', name, position, failed_since, failure) FROM cursor
       UNION ALL SELECT concat_ws(' ', 'quarantine', field, problem, count(*)) FROM erp_quarantine GROUP BY field, problem
       UNION ALL SELECT concat_ws(' ', 'event', topic, state, cause, count(*)) FROM inbound_event GROUP BY topic, state, cause
       UNION ALL SELECT concat_ws(' ', 'delivery', d.id, d.channel, d.state, d.cause, d.summary, d.tries, 'tries:', (
         SELECT string_agg(concat_ws(' ', a.purpose, a.operation, a.outcome, a.error_code, a.their_text), ' | ' ORDER BY a.id)
         FROM attempt a WHERE a.delivery_id = d.id))
       FROM delivery d WHERE d.kind = 'order' AND d.state NOT IN ('delivered', 'superseded')`,
    )
    return rows.map((row) => row.told).join('; ')
  }

  const awaited = <T>(condition: () => Promise<T>, forMs: number): Promise<NonNullable<T>> =>
    until(condition, forMs).catch(async (error: unknown) => {
      throw new Error(`${String(error)}: ${await picture()}`)
    })

  async function erpOrders(call: Rpc, team: number): Promise<number[]> {
    const [product] = await call<number[]>('product.product', 'search', [[['default_code', '=', sku]]])
    const partner = await call<number>('res.partner', 'create', [{ name: `Cliente E2E ${run}` }])
    const values = Array.from({ length: EACH_WAY }, (_, i) => ({
      partner_id: partner,
      team_id: team,
      client_order_ref: `E2E-${run}-${i}`,
      order_line: [[0, 0, { product_id: product, product_uom_qty: 1 + (i % 3), price_unit: 1_000 * (i + 1) }]],
    }))
    const ids = await call<number[]>('sale.order', 'create', [values])
    await call('sale.order', 'action_confirm', [ids])
    return ids
  }

  async function purchases(): Promise<{ pack: string; total: number }[]> {
    const all = []
    for (let i = 0; i < EACH_WAY; i++) {
      const price = 5_990 + i * 10
      const answer = (await running.meli('POST', '/admin/purchases', {
        seller,
        items: [
          { sku, quantity: 2, unit_price: price },
          { sku: 'SKU-001', quantity: 1, unit_price: 12_990 },
        ],
        pack: true,
      })) as { pack_id: number | string }
      all.push({ pack: String(answer.pack_id), total: 2 * price + 12_990 })
    }
    return all
  }

  test('every confirmed order of Odoo stands once at MercadoLibre, with its lines and total', async () => {
    const there = (await awaited(async () => {
      const { entries } = (await running.meli('GET', '/admin/ledger')) as { entries: LedgerLine[] }
      const created = entries.filter((e) => e.kind === 'order' && e.act === 'created' && e.order.external_reference !== null)
      return created.length >= EACH_WAY ? created : undefined
    }, 120_000)) as LedgerLine[]
    const sales = await admin<Sale[]>('sale.order', 'read', [erpIds], { fields: ['amount_total'] })
    const expected = sales.map((s) => [`odoo-${s.id}`, s.amount_total]).sort()
    expect(there.map((e) => [e.order.external_reference, e.order.total_amount]).sort()).toEqual(expected)
  }, 150_000)

  test('every purchase stands once in Odoo, confirmed, with the total the buyer paid', async () => {
    const sales = await awaited(async () => {
      const refs = bought.map((b) => b.pack)
      const found = await admin<Sale[]>(
        'sale.order',
        'search_read',
        [
          [
            ['client_order_ref', 'in', refs],
            ['origin', '=', `mercadolibre:${seller}`],
          ],
        ],
        {
          fields: ['state', 'amount_total', 'client_order_ref', 'order_line'],
        },
      )
      return found.length >= EACH_WAY && found.every((s) => s.state === 'sale') ? found : undefined
    }, 240_000)
    expect(sales.map((s) => [s.client_order_ref, s.amount_total]).sort()).toEqual(bought.map((b) => [b.pack, b.total]).sort())
    expect(sales.every((s) => s.order_line.length === 2)).toBe(true)
  }, 260_000)

  test('nothing waits, nothing is ambiguous and nothing was given up on', async () => {
    const states = await awaited(async () => {
      const { rows } = await running.owner.query<{ state: string; count: number }>(
        `SELECT state, count(*)::int AS count FROM delivery WHERE kind = 'order' GROUP BY state`,
      )
      return rows.some((r) => r.state === 'pending' || r.state === 'ambiguous') ? undefined : rows
    }, 60_000)
    const others = states.filter((r) => r.state !== 'superseded' && r.state !== 'delivered')
    expect(others, others.length === 0 ? '' : await picture()).toEqual([])
  }, 80_000)

  const auditOf = (odoo: string) =>
    audit({
      databaseUrl: running.database.migratorUrl,
      ledgers: { ...running.ledgers, odoo },
      hubFile: join(running.home, 'hub.yaml'),
      incidents: null,
      quietSeconds: 0,
    })

  test('the auditor finds nothing to say of Odoo, the hub and MercadoLibre', async () => {
    const created = await admin<number[]>('sale.order', 'search', [[['origin', '=', `mercadolibre:${seller}`]]])
    await recorder.snapshot([...erpIds, ...created])
    const ledger = join(folder, 'odoo.ledger.jsonl')
    // The hub goes on meanwhile: an event that has just come is due for a moment.
    const clean = await until(async () => {
      const found = await auditOf(ledger)
      return found.breaches.length === 0 ? found : undefined
    }, 30_000).catch(() => undefined)
    const report = clean ?? (await auditOf(ledger))
    expect(
      report.breaches,
      report.breaches
        .slice(0, 3)
        .map(({ kind, message }) => `${kind} ${message}`)
        .join('; '),
    ).toEqual([])
    expect(report.checked).toEqual({ erpToMarketplace: EACH_WAY, marketplaceToErp: EACH_WAY })
    const altered = join(folder, 'altered.ledger.jsonl')
    await writeFile(altered, (await readFile(ledger, 'utf8')).replace(`"quantity":2`, `"quantity":3`))
    expect((await auditOf(altered)).unequal).toBeGreaterThan(0)
  }, 60_000)
})

interface LedgerLine {
  kind: string
  act: string
  order: { external_reference: string | null; total_amount: number }
}

async function includedTax(admin: Rpc): Promise<number> {
  const name = 'IVA 19% incluido (conformance)'
  const [known] = await admin<number[]>('account.tax', 'search', [[['name', '=', name]]])
  if (known !== undefined) return known
  const domain = [
    ['type_tax_use', '=', 'sale'],
    ['amount', '=', 19],
    ['price_include', '=', false],
  ]
  const [tax] = await admin<number[]>('account.tax', 'search', [domain])
  return admin<number>('account.tax', 'copy', [tax, { name, price_include: true }])
}
