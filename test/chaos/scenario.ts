import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Service } from '../../src/apps/up.ts'
import { type RunningHub, startHub, until } from '../support/running-hub.ts'
import { type AuditReport, audit } from './auditor/audit.ts'
import type { KillRecord } from './failpoints.ts'
import type { NodePlan } from './run-node.ts'

export interface Scenario {
  seed: number
  role: NodePlan['role']
  point: KillRecord['point']
  /** Whose hits count; null: any system's. */
  system: string | null
}

export interface ScenarioResult {
  /** What was in hand when the node was killed; null: it never was, and the run proves nothing. */
  kill: KillRecord | null
  report: AuditReport
  orders: { erpToMarketplace: number; marketplaceToErp: number }
}

/** Short windows, and a marketplace that never recognises a repeat. */
export const CHAOS_YAML = `
mercadolibre: { accounts: ['1001', '1002'] }
taxMode: { kind: price-included-tax, taxId: 2 }
collectOverlapSeconds: 60
compareAfterSeconds: 3600
backoffScale: 0.02
routing:
  - { name: first account, when: { team: MercadoLibre }, to: ['mercadolibre:1001'] }
  - { name: paris, when: { team: Paris }, to: [paris] }
  - { name: web stays, when: { team: Web }, to: [] }
channels:
  odoo: { timing: { timeoutMs: 1000, marginMs: 500, settleMs: 800, leaseMs: 2000 } }
  'mercadolibre:1001': { timing: { timeoutMs: 300, marginMs: 500, settleMs: 800, leaseMs: 2000 } }
  'mercadolibre:1002': { timing: { timeoutMs: 300, marginMs: 500, settleMs: 800, leaseMs: 2000 } }
  'paris:main': { idempotentCreate: false, timing: { timeoutMs: 300, marginMs: 500, settleMs: 800, leaseMs: 2000 } }
`

/** Marketplaces that dedupe nothing, show orders late in their search, and take a moment for each create. */
export async function makeNaive(running: RunningHub, processingMs = 80): Promise<void> {
  await running.meli('PUT', '/admin/profile', { profile: 'naive', searchLagMs: 200, processingMs })
  await running.paris('PUT', '/admin/profile', { profile: 'naive', searchLagMs: 200, processingMs })
  // Odoo writes first and answers a little later.
  await running.odoo('PUT', '/admin/faults', [{ match: { path: '(load|action_confirm|message_post)$' }, fault: 'latency', ms: 80 }])
}

const OTHERS: Record<Scenario['role'], readonly Service[]> = {
  worker: ['subscriber', 'reconciler'],
  'ref-batch-txn': ['subscriber', 'reconciler'],
  subscriber: ['worker', 'reconciler'],
  receiver: ['worker', 'subscriber', 'reconciler'],
}

/** One claim or one batch takes all that is due, so a second hit may never come. */
const HAPPENS_ONCE: Scenario['point'][] = ['mid-collect', 'after-claim', 'dead-letter']

/** One seeded run: a node is killed in the middle of its work, another takes its place, and the auditor judges what came of it. */
export async function runScenario(scenario: Scenario): Promise<ScenarioResult> {
  const running = await startHub({
    services: OTHERS[scenario.role],
    yaml: CHAOS_YAML,
  })
  const nodes: ChildProcess[] = []
  try {
    await makeNaive(running)
    const record = join(running.home, 'killed.json')
    const nth = 1 + (scenario.seed % 3)
    const kill = {
      point: scenario.point,
      nth: HAPPENS_ONCE.includes(scenario.point) ? 1 : nth,
      system: scenario.system,
      record,
    }
    const first = await startNode(running, { role: scenario.role, port: 0, kill }, nodes)
    if (scenario.role === 'receiver') await running.meli('PUT', '/admin/callback', { url: callbackOf(running, first.port) })
    const made = await makeOrders(running, scenario)
    await first.ended
    const killed = existsSync(record) ? (JSON.parse(readFileSync(record, 'utf8')) as KillRecord) : null
    await startNode(running, { role: scenario.role, port: first.port, kill: null }, nodes)
    const report = await judged(running, made)
    return { kill: killed, report, orders: made }
  } finally {
    for (const node of nodes) node.kill('SIGKILL')
    await running.stop()
  }
}

function callbackOf(running: RunningHub, port: number): string {
  return `http://127.0.0.1:${port}/webhooks/mercadolibre/${running.hub.config.mercadolibre.pathSecret.reveal()}`
}

interface Made {
  erpToMarketplace: number
  marketplaceToErp: number
  incidents: string | null
}

async function makeOrders(running: RunningHub, { seed, point }: Scenario): Promise<Made> {
  const price = 1_000 * (1 + (seed % 7))
  const inErp = async (team: string, count: number, sku = 'SKU-001'): Promise<{ name: string }[]> => {
    const body = { state: 'sale', team, count, partner: 'María Pérez', lines: [{ sku, quantity: 1 + (seed % 3), price }] }
    return ((await running.odoo('POST', '/admin/orders', body)) as { orders: { name: string }[] }).orders
  }
  const refused = point === 'dead-letter'
  if (refused) await running.meli('POST', '/admin/unknown-skus', { skus: ['SKU-009'] })
  const dead = refused ? await inErp('MercadoLibre', 1, 'SKU-009') : []
  await inErp('MercadoLibre', 3)
  await inErp('Paris', 3)
  for (let i = 0; i < 3; i++)
    await running.meli('POST', '/admin/purchases', {
      seller: 1001,
      items: [{ sku: 'SKU-002', quantity: 1 + i, unit_price: price }],
      pack: i % 2 === seed % 2,
    })
  for (let i = 0; i < 2; i++) await running.paris('POST', '/admin/orders', { buyer: 'Comprador', items: [{ sku: 'SKU-003', qty: 1 + i }] })
  const incidents = join(running.home, 'incidents.json')
  const declared = { cause: 'sku-unknown', state: 'dead', channel: 'mercadolibre:1001' }
  writeFileSync(incidents, JSON.stringify(dead.map(({ name }) => ({ reference: name, system: 'odoo', declared }))))
  return { erpToMarketplace: 6 + dead.length, marketplaceToErp: 5, incidents }
}

/** The auditor's word once it finds nothing more to say, or after the deadline: a double never goes away, a lost order would have come. */
export async function judged(running: RunningHub, made: Made, forMs = 40_000): Promise<AuditReport> {
  const check = (): Promise<AuditReport> =>
    audit({
      databaseUrl: running.database.migratorUrl,
      ledgers: running.ledgers,
      hubFile: join(running.home, 'hub.yaml'),
      incidents: made.incidents,
      quietSeconds: 0,
    })
  const isWhole = async (): Promise<AuditReport | undefined> => {
    const report = await check()
    const { erpToMarketplace, marketplaceToErp } = report.checked
    const all = erpToMarketplace === made.erpToMarketplace && marketplaceToErp === made.marketplaceToErp
    return (all && report.breaches.length === 0) || report.doubled > 0 ? report : undefined
  }
  return until(isWhole, forMs).catch(check)
}

async function startNode(
  running: RunningHub,
  what: Pick<NodePlan, 'role' | 'port' | 'kill'>,
  nodes: ChildProcess[],
): Promise<{ port: number; ended: Promise<void> }> {
  const plan: NodePlan = { ...what, env: running.env, databaseUrl: running.database.url }
  const program = fileURLToPath(new URL('run-node.ts', import.meta.url))
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env.PATH, CHAOS_NODE: JSON.stringify(plan) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  nodes.push(child)
  const ended = new Promise<void>((resolve) => {
    const deadline = setTimeout(resolve, 30_000)
    child.once('exit', () => {
      clearTimeout(deadline)
      resolve()
    })
  })
  const lines = createInterface({ input: child.stdout })
  for await (const line of lines) return { port: (JSON.parse(line) as { ready: number }).ready, ended }
  throw new Error(`the node ended before it was ready`)
}
