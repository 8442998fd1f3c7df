import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { assemble, type Hub } from '../../src/assembly.ts'
import { packageRoot } from '../../src/home.ts'
import { type RunningHub, until } from '../support/running-hub.ts'
import type { Evidence } from './evidence.ts'
import { failpoints, type PointPlan } from './failpoints.ts'
import { mutated } from './mutants/mutants.ts'
import { LONGEST_LEASE_MS, startRole } from './node-roles.ts'
import { Fired, type Plan, type Role } from './plan.ts'
import type { NodePlan } from './run-node.ts'
import { watchedPool, withFailpoints } from './watched-hub.ts'

/** What a victim needs of the stage that it stands on. */
interface Ground {
  plan: Plan
  running: RunningHub
  evidence: Evidence
  fired: Fired[]
  note(what: string): void
}

/** How long something that must come is waited for; only red runs wait so long. */
export const PATIENCE_MS = 60_000

export interface VictimOptions {
  port?: number
  clockAheadMs?: number
  role?: Role
  /** A process of its own whatever the action. */
  apart?: boolean
  /** Folder of another build, which it runs. */
  build?: string
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

/** Starts a node of the hub with the failpoint of the plan, changed by `point`; null: without one. In this process where its action leaves one alive. */
export async function startVictim(stage: Ground, point: Partial<PointPlan> | null, more: VictimOptions): Promise<VictimNode> {
  const { plan, running } = stage
  const record = join(running.home, `fired-${randomUUID()}.json`)
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
  const freeze = freezeOf(stage.evidence)
  stage.note(
    `${role} ${more.build ? 'of the older build ' : ''}started${planned ? `, ${planned.action} at ${planned.point} #${planned.nth}` : ''}`,
  )
  return {
    ...node,
    signal(name) {
      if (name === 'SIGSTOP') freeze.began(new Date())
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
        const at = new Date(fired.at)
        if (planned?.action === 'stop') freeze.began(at)
        if (planned?.action === 'delay') stage.evidence.frozen(at, new Date(at.getTime() + planned.delayMs))
      }
      return fired
    },
  }
}

/** Null as long as the record is not there, or not written whole. */
function firedAt(record: string): Fired | null {
  try {
    return Fired.parse(JSON.parse(readFileSync(record, 'utf8')))
  } catch {
    return null
  }
}

/** Notes from when to when a node was frozen. */
function freezeOf(evidence: Evidence): { began(at: Date): void; ended(): void } {
  let from: Date | null = null
  return {
    began: (at) => void (from ??= at),
    ended() {
      if (from) evidence.frozen(from, new Date())
      from = null
    },
  }
}

type Node = Omit<VictimNode, 'fired'>

async function victimHere(stage: Ground, what: { role: Role; planned: PointPlan; port: number }): Promise<Node> {
  const { running, plan } = stage
  const points = failpoints(what.planned)
  const { config, log } = running.hub
  const hub: Hub = await assemble(config, running.database.url, log, { pool: (pool) => watchedPool(pool, points) })
  const role = await startRole(what.role, withFailpoints(mutated(hub, plan.mutant), points), what.port)
  let ending: Promise<void> | undefined
  const end = (): Promise<void> => (ending ??= role.stop().then(() => hub.close()))
  return { port: role.port, pid: undefined, end, isFrozen: () => false, resume: () => {}, signal: () => {}, exited: new Promise(() => {}) }
}

async function victimProcess(stage: Ground, build: string, plan: NodePlan): Promise<Node> {
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
