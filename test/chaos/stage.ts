import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { assemble, type Hub } from '../../src/assembly.ts'
import { packageRoot } from '../../src/home.ts'
import { type Between, type HubOptions, type RunningHub, startHub, until } from '../support/running-hub.ts'
import { failpoints, type PointPlan } from './failpoints.ts'
import { SEEN_TABLE } from './mutants/dedup-before-enqueue.ts'
import { mutated } from './mutants/mutants.ts'
import { LONGEST_LEASE_MS, type RunningRole, startRole } from './node-roles.ts'
import { Fired, type Plan, type Role, seeded } from './plan.ts'
import type { NodePlan } from './run-node.ts'
import { type TcpProxy, tcpProxy } from './tcp-proxy.ts'
import { yamlOf, type YamlChanges } from './stage-yaml.ts'
import { knownTransactions } from './watched-calls.ts'
import { fewConnections, watchedPool, withFailpoints } from './watched-hub.ts'
import { openEvidence, type Evidence, nodeLog } from './evidence.ts'

type More = {
  port?: number
  clockAheadMs?: number
  role?: Role
  /** A process of its own whatever the action. */
  apart?: boolean
  /** Folder of another build, which it runs. */
  build?: string
}

export interface StageOptions {
  /** Systems that a proxy stands before. */
  links?: readonly Between[]
  /** Replaced in the settings. */
  yaml?: YamlChanges
  hub?: Pick<HubOptions, 'env' | 'database' | 'odooVersion'>
}

/** A node that may be killed or stopped, or that throws or is delayed. */
export interface VictimNode {
  port: number
  /** Undefined when it runs in this process. */
  pid: number | undefined
  /** What it was about when its fault fired; null after the deadline: it never did. */
  fired(forMs?: number): Promise<Fired | null>
  /** Ends it, whatever state it is in. */
  end(): Promise<void>
  /** Whether SIGSTOP has reached it. */
  isFrozen(): boolean
  /** Wakes a stopped one. */
  resume(): void
  signal(name: NodeJS.Signals): void
  exited: Promise<void>
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
  victim(point?: Partial<PointPlan> | null, more?: More): Promise<VictimNode>
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

/** How long something that must come is waited for; only red runs wait so long. */
const PATIENCE_MS = 60_000

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
  const began = performance.now()
  const { proxies, between } = proxiesBefore(options.links ?? [])
  const yaml = yamlOf([['IDEMPOTENT', String(plan.profile === 'idempotent-key')], ...(options.yaml ?? [])])
  const running = await startHub({
    services: [],
    yaml,
    between,
    altered: (hub) => mutated(hub, plan.mutant),
    seams: { pool: (pool) => knownTransactions(fewConnections(pool)) },
    log: nodeLog(evidence.folder, 'calm nodes'),
    ...options.hub,
  })
  await evidence.watch(running.database, running.hub.config)
  const children: VictimNode[] = []
  const calm: RunningRole[] = []
  const atEnd: { when: 'before' | 'after'; act: () => unknown }[] = []
  const end = async (when: 'before' | 'after'): Promise<void> => {
    for (const one of atEnd.filter((some) => some.when === when).toReversed()) await one.act()
  }
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
    callbackTo: (port) =>
      running
        .meli('PUT', '/admin/callback', {
          url: `${port === 0 ? running.webhooks : `http://127.0.0.1:${port}`}/webhooks/mercadolibre/${running.hub.config.mercadolibre.pathSecret.reveal()}`,
        })
        .then(() => {}),
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
    async eventually(condition, what = 'a condition', forMs = PATIENCE_MS) {
      try {
        return await until(condition, forMs)
      } catch (error) {
        throw new Error(`never came true: ${what}`, { cause: error })
      }
    },
    keep(folder) {
      evidence.keep(folder)
      for (const path of Object.values(running.ledgers)) cpSync(path, join(folder, basename(path)))
    },
    async close() {
      try {
        await stage.endCalm()
        await Promise.all(children.map((node) => node.end()))
        for (const proxy of proxies.values()) proxy.set({ kind: 'none' })
        await end('before')
      } finally {
        await evidence.stop()
        await running.stop()
      }
      await end('after')
      await Promise.all([...proxies.values()].map((proxy) => proxy.close()))
    },
  }
  await setProfile(stage)
  if (plan.mutant === 'dedup-before-enqueue') await running.owner.query(SEEN_TABLE)
  return stage
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

async function startVictim(stage: Stage, point: Partial<PointPlan> | null, more: More): Promise<VictimNode> {
  const { plan, running } = stage
  const record = join(running.home, `fired-${stage.schedule.length}.json`)
  const planned = plan.victim && point !== null ? { ...plan.victim, record, delayMs: LONGEST_LEASE_MS * 1.5, ...point } : null
  const role = more.role ?? plan.victim?.role
  if (!role) throw new Error('a victim without a role')
  const inProcess = !more.apart && planned !== null && (planned.action === 'throw' || planned.action === 'delay')
  const node = inProcess
    ? await victimHere(stage, { role, planned, port: more.port ?? 0 })
    : await victimProcess(stage, more.build ?? packageRoot, {
        role,
        env: running.env,
        databaseUrl: running.database.url,
        port: more.port ?? 0,
        point: planned,
        mutant: plan.mutant,
        clockAheadMs: more.clockAheadMs ?? 0,
        evidence: stage.evidence.folder,
      })
  const freeze = freezeOf(stage.evidence, () => (planned?.action === 'stop' ? firedAt(record)?.at : undefined))
  stage.note(
    `${role} ${more.build ? 'of the older build ' : ''}started${planned ? `, ${planned.action} at ${planned.point} #${planned.nth}` : ''}`,
  )
  return {
    ...node,
    signal(name) {
      if (name === 'SIGSTOP') freeze.began()
      node.signal(name)
    },
    resume() {
      node.resume()
      freeze.ended()
    },
    async end() {
      await node.end()
      freeze.ended()
    },
    fired: async (forMs = PATIENCE_MS) => {
      const fired = await until(() => Promise.resolve(firedAt(record)), forMs).catch(() => null)
      if (fired) {
        stage.fired.push(fired)
        stage.note(fired.fault)
      }
      return fired
    },
  }
}

const firedAt = (record: string): Fired | null => (existsSync(record) ? Fired.parse(JSON.parse(readFileSync(record, 'utf8'))) : null)

/** Notes from when to when a node was frozen: by a signal, or by its own failpoint at `plannedAt`. */
function freezeOf(evidence: Evidence, plannedAt: () => string | undefined): { began(): void; ended(): void } {
  let from: Date | null = null
  let isPlannedOver = false
  return {
    began: () => void (from = new Date()),
    ended() {
      const planned = isPlannedOver ? undefined : plannedAt()
      const since = from ?? (planned === undefined ? null : new Date(planned))
      if (since) evidence.frozen(since, new Date())
      if (planned !== undefined) isPlannedOver = true
      from = null
    },
  }
}

type Node = Omit<VictimNode, 'fired'>

async function victimHere(stage: Stage, what: { role: Role; planned: PointPlan; port: number }): Promise<Node> {
  const { running, plan } = stage
  const points = failpoints(what.planned)
  const { config, log } = running.hub
  const hub: Hub = await assemble(config, running.database.url, log, { pool: (pool) => watchedPool(pool, points) })
  const role = await startRole(what.role, withFailpoints(mutated(hub, plan.mutant), points), what.port)
  let ending: Promise<void> | undefined
  const end = (): Promise<void> => (ending ??= role.stop().then(() => hub.close()))
  return { port: role.port, pid: undefined, end, isFrozen: () => false, resume: () => {}, signal: () => {}, exited: new Promise(() => {}) }
}

async function victimProcess(stage: Stage, build: string, plan: NodePlan): Promise<Node> {
  const program = join(build, 'test', 'chaos', 'run-node.ts')
  const child = spawn(process.execPath, [program], {
    env: {
      PATH: process.env.PATH,
      CHAOS_NODE: JSON.stringify(plan),
      CHAOS_QUIET: '1',
      NODE_COMPILE_CACHE: join(stage.running.home, '..', 'rosh-chaos-compile-cache'),
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const port = await readyPort(child)
  return {
    port,
    pid: child.pid,
    exited,
    isFrozen: () => spawnSync('ps', ['-o', 'stat=', '-p', String(child.pid)], { encoding: 'utf8' }).stdout.startsWith('T'),
    resume: () => void child.kill('SIGCONT'),
    signal: (name) => void child.kill(name),
    async end() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function readyPort(child: ChildProcess): Promise<number> {
  if (child.stdout) for await (const line of createInterface({ input: child.stdout })) return (JSON.parse(line) as { ready: number }).ready
  throw new Error('the node ended before it was ready')
}
