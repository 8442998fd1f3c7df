import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { type OdooSim, type OdooSimOptions, startOdooSim } from './odoo-sim.ts'

type Json = Record<string, unknown>

/** What the tests of this folder say to a running simulator. */
export interface TestOdoo {
  url: string
  ledgerPath: string
  sim: OdooSim
  /** Raw answer of `POST /jsonrpc`. */
  rpc(model: string, method: string, args?: unknown[], named?: Json): Promise<RpcReply>
  /** The result alone; an error reply is a failed test. */
  call<T = unknown>(model: string, method: string, args?: unknown[], named?: Json): Promise<T>
  json2<T = unknown>(
    model: string,
    method: string,
    body?: Json,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: T; type: string }>
  admin<T = Json>(path: string, body?: unknown, method?: 'POST' | 'PUT' | 'GET' | 'DELETE'): Promise<T>
  restart(): Promise<void>
}

export interface RpcReply {
  result?: unknown
  error?: { code: number; message: string; data: { name: string; message: string; debug: string } }
}

export interface AdminOrder {
  id: number
  name: string
  client_order_ref: string | null
}

const running = new Set<{ sim: OdooSim; folder: string }>()

afterEach(async () => {
  for (const { sim, folder } of running) {
    await sim.close()
    await rm(folder, { recursive: true, force: true })
  }
  running.clear()
})

export async function startOdoo(version: 14 | 19, options: Partial<OdooSimOptions> = {}): Promise<TestOdoo> {
  const folder = await mkdtemp(join(tmpdir(), 'odoo-sim-'))
  const ledgerPath = join(folder, 'ledger.jsonl')
  const start = () => startOdooSim({ ledgerPath, version, ...options })
  const held = { sim: await start(), folder }
  running.add(held)
  const odoo: TestOdoo = {
    url: held.sim.url,
    ledgerPath,
    sim: held.sim,
    rpc: (model, method, args = [], named = {}) =>
      jsonRpc(odoo.url, 'object', 'execute_kw', ['odoo', 2, 'change-me', model, method, args, named]),
    async call<T>(model: string, method: string, args: unknown[] = [], named: Json = {}) {
      const reply = await odoo.rpc(model, method, args, named)
      if (reply.error) throw new Error(`${reply.error.data.name}: ${reply.error.data.message}`)
      return reply.result as T
    },
    json2: (model, method, body = {}, headers = {}) => json2(odoo.url, `${model}/${method}`, body, headers),
    admin: (path, body, method) => admin(odoo.url, { path, body, method: method ?? (body === undefined ? 'GET' : 'POST') }),
    async restart() {
      await held.sim.close()
      held.sim = await start()
      odoo.url = held.sim.url
      odoo.sim = held.sim
    },
  }
  return odoo
}

export async function jsonRpc(url: string, service: string, method: string, args: unknown[]): Promise<RpcReply> {
  const response = await fetch(`${url}/jsonrpc`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': 'r-1' },
    body: JSON.stringify({ jsonrpc: '2.0', method: 'call', id: 7, params: { service, method, args } }),
  })
  if (response.status !== 200) throw new Error(`HTTP ${response.status}`)
  return (await response.json()) as RpcReply
}

async function json2<T>(
  url: string,
  path: string,
  body: Json,
  headers: Record<string, string>,
): Promise<{ status: number; body: T; type: string }> {
  const response = await fetch(`${url}/json/2/${path}`, {
    method: 'POST',
    headers: { authorization: 'bearer change-me', 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  const type = response.headers.get('content-type') ?? ''
  const text = await response.text()
  return { status: response.status, type, body: (type.includes('json') ? JSON.parse(text) : text) as T }
}

async function admin<T>(url: string, call: { path: string; body: unknown; method: string }): Promise<T> {
  const response = await fetch(`${url}/admin${call.path}`, {
    method: call.method,
    headers: { 'x-admin-key': 'change-me', 'content-type': 'application/json' },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  })
  return (await response.json()) as T
}

/** Fields and rows of a `load` as the hub sends it: two lines, with or without external ids of the lines. */
export function loadOf(
  reference: string,
  options: { lineIds?: boolean; prices?: number[]; product?: number; tax?: string } = {},
): [string[], unknown[][]] {
  const fields = [
    'id',
    'partner_id/.id',
    'client_order_ref',
    'order_line/product_id/.id',
    'order_line/product_uom_qty',
    'order_line/price_unit',
  ]
  if (options.lineIds !== false) fields.push('order_line/id')
  if (options.tax) fields.push(options.tax)
  const rows = (options.prices ?? [12990, 5000]).map((price, index) => [
    ...(index === 0 ? [`orderhub.${reference}`, 4, reference] : ['', '', '']),
    options.product ?? index + 1,
    2,
    price,
    ...(options.lineIds === false ? [] : [`orderhub.${reference}_l${index + 1}`]),
    ...(options.tax ? ['2'] : []),
  ])
  return [fields, rows]
}
