import type { Role } from './plan.ts'
import type { Stage } from './stage.ts'
import type { VictimNode } from './victim.ts'

/** What runs during a soak, each a process; every one of them may be killed or frozen at any time, and comes back. */
const FLEET: readonly Role[] = ['worker', 'worker', 'subscriber', 'reconciler', 'receiver']

/** Share of those that come back with a clock an hour ahead or behind. A receiver never does: by its clock it judges how old a signature is. */
const SHIFTED = 0.25
const HOUR_MS = 3_600_000

export interface Fleet {
  kills: number
  stops: number
  /** Nodes that came back with a wrong clock. */
  shifted: number
  /** Ends a random node as kill -9 does while work is under way, notes what that was, and starts another in its place. */
  kill(): Promise<void>
  /** Freezes a random node for `ms`, then lets it go on. */
  freeze(ms: number): Promise<void>
  end(): Promise<void>
}

export async function startFleet(stage: Stage): Promise<Fleet> {
  const nodes: { role: Role; node: VictimNode }[] = []
  let receiverPort = 0
  const start = async (role: Role, clockAheadMs = 0): Promise<VictimNode> => {
    const port = role === 'receiver' ? receiverPort : 0
    // As a supervisor would: one that starts while PostgreSQL is down ends at once, and is started again.
    const attempt = () =>
      stage.victim(null, { role, port, clockAheadMs }).catch((error: unknown) => {
        stage.note(`a ${role} did not start: ${error instanceof Error ? error.message : String(error)}`)
        return undefined
      })
    const node = await stage.eventually(attempt, `another ${role} starts`)
    if (role === 'receiver' && receiverPort === 0) {
      receiverPort = node.port
      await stage.callbackTo(receiverPort)
    }
    return node
  }
  for (const role of FLEET) nodes.push({ role, node: await start(role) })
  const any = () => nodes[Math.floor(stage.random() * nodes.length)]
  const fleet: Fleet = {
    kills: 0,
    stops: 0,
    shifted: 0,
    async kill() {
      const one = any()
      if (!one) return
      const inFlight = await workMet(stage)
      await one.node.end()
      fleet.kills += 1
      stage.fire(`kill ${one.role}`, inFlight)
      const clockAheadMs = one.role === 'receiver' ? 0 : drawnShift(stage)
      one.node = await start(one.role, clockAheadMs)
      if (clockAheadMs !== 0) fleet.shifted += 1
    },
    async freeze(ms) {
      const one = any()
      if (!one) return
      one.node.signal('SIGSTOP')
      fleet.stops += 1
      await new Promise((resolve) => setTimeout(resolve, ms))
      one.node.resume()
    },
    end: async () => void (await Promise.all(nodes.map(({ node }) => node.end()))),
  }
  return fleet
}

function drawnShift({ random }: Stage): number {
  if (random() >= SHIFTED) return 0
  return random() < 0.5 ? HOUR_MS : -HOUR_MS
}

const LONGEST_WAIT_MS = 4_000
const LOOK_WITHIN_MS = 200

/** Looks at random moments until one finds work under way: a quick hub is idle for most of a second. Nothing after the longest wait. */
async function workMet(stage: Stage): Promise<string> {
  for (const end = Date.now() + LONGEST_WAIT_MS; ; ) {
    await new Promise((resolve) => setTimeout(resolve, stage.random() * LOOK_WITHIN_MS))
    const found = await openWork(stage)
    if (found !== '' || Date.now() > end) return found
  }
}

// What the hub looks at again by itself is always under way and shows nothing; a database that is down shows nothing either.
async function openWork(stage: Stage): Promise<string> {
  const open = `
    SELECT b.reference AS what FROM delivery d JOIN binding b ON b.id = d.binding_id WHERE d.kind = 'order' AND d.state IN ('pending', 'ambiguous')
    UNION ALL SELECT resource FROM inbound_event WHERE state = 'pending' AND topic <> 'sweep' LIMIT 20`
  const rows = await stage.rows<{ what: string }>(open).catch(() => [])
  return rows.map(({ what }) => what).join(' ')
}
