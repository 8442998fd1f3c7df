import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { Fired, Failpoint, Victim } from './plan.ts'

export interface PointPlan extends Victim {
  /** File that says what was in hand, written before anything happens. */
  record: string
  /** Only when this is in hand; absent: whatever it is. */
  reference?: string
  /** How long `delay` lasts. */
  delayMs: number
}

export interface Failpoints {
  /** Does what was planned when it is the hit that was planned; else returns at once. */
  hit(point: Failpoint, channel: string, inFlight: string): Promise<void>
  /** Notes that something is under way: a COMMIT meanwhile is a hit of `point`. */
  within<T>(about: About, work: () => Promise<T>): Promise<T>
  /** Called before each COMMIT. */
  beforeCommit(): Promise<void>
}

interface About {
  point: Failpoint
  channel: string
  inFlight: string
}

/** A planned bug: no IntegrationError, so no flow catches it. */
class PlannedBug extends Error {}

export function failpoints(plan: PointPlan | null): Failpoints {
  const open = new Set<About>()
  let hits = 0
  const isPlanned = (point: Failpoint, channel: string): boolean =>
    plan?.point === point && (plan.system === null || channel.split(':')[0] === plan.system)
  const hit = async (point: Failpoint, channel: string, inFlight: string): Promise<void> => {
    if (!plan || !isPlanned(point, channel)) return
    if (plan.reference !== undefined && !inFlight.split(' ').includes(plan.reference)) return
    hits += 1
    if (hits === plan.nth) await act(plan, inFlight)
  }
  return {
    hit,
    async within(about, work) {
      open.add(about)
      try {
        return await work()
      } finally {
        open.delete(about)
      }
    },
    async beforeCommit() {
      // Ends share a commit: each that is under way is a hit, or the third may never come.
      const underWay = [...open]
      for (const about of underWay) await hit(about.point, about.channel, about.inFlight)
    },
  }
}

async function act(plan: PointPlan, inFlight: string): Promise<void> {
  const { point, action, record, nth } = plan
  const fired: Fired = { at: new Date().toISOString(), fault: `${action} ${point} #${nth}`, inFlight }
  writeWhole(record, JSON.stringify(fired))
  switch (action) {
    case 'kill':
      process.kill(process.pid, 'SIGKILL')
      // Not one instruction more: the signal may take a moment.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
      return
    case 'stop':
      process.kill(process.pid, 'SIGSTOP')
      // Until the signal has arrived; whoever watches the record sends SIGCONT.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
      return
    case 'throw':
      throw new PlannedBug(`planned at ${point}`)
    case 'delay':
      await wait(plan.delayMs)
  }
}

function writeWhole(path: string, text: string): void {
  const file = openSync(path, 'w')
  writeSync(file, text)
  fsyncSync(file)
  closeSync(file)
}
