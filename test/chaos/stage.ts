import { cpSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Between, type HubOptions, type RunningHub, startHub, until } from '../support/running-hub.ts'
import { type Evidence, nodeLog, openEvidence } from './evidence.ts'
import type { PointPlan } from './failpoints.ts'
import { SEEN_TABLE } from './mutants/dedup-before-enqueue.ts'
import { mutated } from './mutants/mutants.ts'
import { type RunningRole, startRole } from './node-roles.ts'
import { type Fired, type Plan, type Role, seeded } from './plan.ts'
import { yamlOf, type YamlChanges } from './stage-yaml.ts'
import { type TcpProxy, tcpProxy } from './tcp-proxy.ts'
import { PATIENCE_MS, startVictim, type VictimNode, type VictimOptions } from './victim.ts'
import { knownTransactions } from './watched-calls.ts'
import { fewConnections } from './watched-hub.ts'

export interface StageOptions {
  /** Systems that a proxy stands before. */
  links?: readonly Between[]
  /** Replaced in the settings. */
  yaml?: YamlChanges
  hub?: Pick<HubOptions, 'env' | 'database' | 'odooVersion'>
}

/** The world of one scenario: simulators, a database and the hub's nodes, each under our control. */
export interface Stage {
  plan: Plan
  running: RunningHub
  evidence: Evidence
  /** Draws of the plan's seed. */
  random(): number
  link(name: Between): TcpProxy
  fired: Fired[]
  figures: Record<string, number>
  schedule: { ms: number; what: string }[]
  note(what: string): void
  /** Starts roles in this process, without failpoints. */
  calm(...roles: Role[]): Promise<void>
  endCalm(): Promise<void>
  /** Done when the scenario ends: nodes `before` the hub and its database go, servers `after`. */
  atEnd(when: 'before' | 'after', act: () => unknown): void
  /** Starts the victim of the plan, or another. */
  victim(point?: Partial<PointPlan> | null, more?: VictimOptions): Promise<VictimNode>
  /** Sends MercadoLibre's notifications to this port; 0: to the listener of this process. */
  callbackTo(port: number): Promise<void>
  /** References of what is under way: deliveries and events that did not end. */
  underWay(): Promise<string>
  /** Notes that a fault happened and what was in flight. */
  fire(fault: string, inFlight: string): void
  /** An assertion of the scenario: red with the sentence when it does not hold, and the scenario goes on. */
  check(holds: boolean, sentence: string): void
  problems: string[]
  rows<T extends object>(sql: string, values?: unknown[]): Promise<T[]>
  /** Waits for a condition; red with the sentence when it never comes true. */
  eventually<T>(condition: () => Promise<T>, what?: string, forMs?: number): Promise<NonNullable<T>>
  /** Copies evidence and ledgers to a folder. */
  keep(folder: string): void
  close(): Promise<void>
}

export async function openStage(plan: Plan, options: StageOptions = {}): Promise<Stage> {
  const evidence = openEvidence()
  try {
    return await stageOn(plan, options, evidence)
  } catch (error) {
    await evidence.stop()
    throw error
  }
}

async function stageOn(plan: Plan, options: StageOptions, evidence: Evidence): Promise<Stage> {
  const { proxies, between } = proxiesBefore(options.links ?? [])
  const running = await startHub({
    services: [],
    yaml: yamlOf([['IDEMPOTENT', String(plan.profile === 'idempotent-key')], ...(options.yaml ?? [])]),
    between,
    altered: (hub) => mutated(hub, plan.mutant),
    seams: { pool: (pool) => knownTransactions(fewConnections(pool)) },
    log: nodeLog(evidence.folder, 'calm nodes'),
    ...options.hub,
  })
  try {
    await evidence.watch(running.database, running.hub.config)
    const stage = stageOf(plan, running, { evidence, proxies })
    await setProfile(stage)
    if (plan.mutant === 'dedup-before-enqueue') await running.owner.query(SEEN_TABLE)
    return stage
  } catch (error) {
    await running.stop()
    throw error
  }
}

interface Props {
  evidence: Evidence
  proxies: ReadonlyMap<Between, TcpProxy>
}

function stageOf(plan: Plan, running: RunningHub, { evidence, proxies }: Props): Stage {
  const began = performance.now()
  const children: VictimNode[] = []
  const calm: RunningRole[] = []
  const atEnd: AtEnd[] = []
  const stage: Stage = {
    plan,
    running,
    evidence,
    random: seeded(plan.seed),
    link(name) {
      const proxy = proxies.get(name)
      if (!proxy) throw new Error(`this scenario has no link to ${name}`)
      return proxy
    },
    fired: [],
    figures: {},
    schedule: [],
    note: (what) => void stage.schedule.push({ ms: Math.round(performance.now() - began), what }),
    async calm(...roles) {
      for (const role of roles) calm.push(await startRole(role, running.hub))
    },
    atEnd: (when, act) => void atEnd.push({ when, act }),
    async endCalm() {
      await Promise.all(calm.splice(0).map((role) => role.stop()))
    },
    async victim(point = {}, more = {}) {
      const node = await startVictim(stage, point, more)
      children.push(node)
      return node
    },
    callbackTo: (port) => sendNotifications(running, port === 0 ? running.webhooks : `http://127.0.0.1:${port}`),
    underWay: () => underWay(running),
    fire(fault, inFlight) {
      stage.fired.push({ at: new Date().toISOString(), fault, inFlight })
      stage.note(fault)
    },
    problems: [],
    check(holds, sentence) {
      if (!holds) stage.problems.push(`does not hold: ${sentence}`)
    },
    rows: async <T extends object>(sql: string, values: unknown[] = []) => (await running.owner.query<T>(sql, values)).rows,
    eventually,
    keep(folder) {
      evidence.keep(folder)
      for (const path of Object.values(running.ledgers)) cpSync(path, join(folder, basename(path)))
    },
    close: () => closeAll(stage, { children, atEnd, proxies }),
  }
  return stage
}

async function sendNotifications({ meli, hub }: RunningHub, origin: string): Promise<void> {
  await meli('PUT', '/admin/callback', { url: `${origin}/webhooks/mercadolibre/${hub.config.mercadolibre.pathSecret.reveal()}` })
}

async function eventually<T>(condition: () => Promise<T>, what = 'a condition', forMs = PATIENCE_MS): Promise<NonNullable<T>> {
  try {
    return await until(condition, forMs)
  } catch (error) {
    throw new Error(`never came true: ${what}`, { cause: error })
  }
}

interface AtEnd {
  when: 'before' | 'after'
  act: () => unknown
}

type Open = { children: readonly VictimNode[]; atEnd: readonly AtEnd[]; proxies: Props['proxies'] }

async function closeAll(stage: Stage, { children, atEnd, proxies }: Open): Promise<void> {
  const end = async (when: AtEnd['when']): Promise<void> => {
    for (const one of atEnd.filter((some) => some.when === when).toReversed()) await one.act()
  }
  for (const proxy of proxies.values()) proxy.set({ kind: 'none' })
  await allOf(
    () => stage.endCalm(),
    () => Promise.all(children.map((node) => node.end())),
    () => end('before'),
    () => stage.evidence.stop(),
    () => stage.running.stop(),
    () => end('after'),
    () => Promise.all([...proxies.values()].map((proxy) => proxy.close())),
  )
}

/** One after the other, each whatever became of those before it; then throws the first error. */
async function allOf(...steps: (() => Promise<unknown>)[]): Promise<void> {
  const errors: unknown[] = []
  for (const step of steps) await step().catch((error: unknown) => errors.push(error))
  if (errors.length > 0) throw errors[0]
}

/** What is asked to stand before systems, and by what name it is reached. */
function proxiesBefore(links: readonly Between[]): { proxies: Map<Between, TcpProxy>; between: NonNullable<HubOptions['between']> } {
  const proxies = new Map<Between, TcpProxy>()
  const standBefore = (name: Between) => async (port: number) => {
    const proxy = await tcpProxy(port)
    proxies.set(name, proxy)
    return proxy.port
  }
  return { proxies, between: Object.fromEntries(links.map((name) => [name, standBefore(name)])) }
}

/** How the marketplaces treat a repeat, and how late they show an order. Each create and each answer of Odoo takes a moment. */
async function setProfile({ plan, running }: Stage): Promise<void> {
  if (plan.profile === 'naive-lagging') return makeNaive(running, 700)
  await makeNaive(running)
  if (plan.profile === 'naive') return
  await running.meli('PUT', '/admin/profile', { profile: plan.profile })
  await running.paris('PUT', '/admin/profile', { profile: plan.profile })
}

/** Marketplaces that dedupe nothing, show orders late in their search, and take a moment for each create. */
export async function makeNaive(running: RunningHub, searchLagMs = 200): Promise<void> {
  const body = { profile: 'naive', searchLagMs, processingMs: 80 }
  await running.meli('PUT', '/admin/profile', body)
  await running.paris('PUT', '/admin/profile', body)
  // Odoo writes first and answers a little later.
  await running.odoo('PUT', '/admin/faults', [ODOO_TAKES_A_MOMENT])
}

export const ODOO_TAKES_A_MOMENT = { match: { path: '(load|action_confirm|message_post)$' }, fault: 'latency', ms: 80 }

async function underWay(running: RunningHub): Promise<string> {
  const { rows } = await running.owner.query<{ what: string }>(
    `SELECT b.reference AS what FROM delivery d JOIN binding b ON b.id = d.binding_id WHERE d.kind = 'order' AND d.state IN ('pending', 'ambiguous')
     UNION ALL SELECT resource FROM inbound_event WHERE state = 'pending' LIMIT 20`,
  )
  return rows.map((row) => row.what).join(' ')
}
