import type { Role } from './plan.ts'
import type { Stage } from './stage.ts'
import type { VictimNode } from './victim.ts'

/** What runs during a soak, each a process; every one of them may be killed or frozen at any time, and comes back. */
const FLEET: readonly Role[] = ['worker', 'worker', 'subscriber', 'reconciler', 'receiver']

export interface Fleet {
  kills: number
  stops: number
  /** Ends a random node as kill -9 does, and starts another in its place. */
  kill(): Promise<void>
  /** Freezes a random node for `ms`, then lets it go on. */
  freeze(ms: number): Promise<void>
  end(): Promise<void>
}

export async function startFleet(stage: Stage): Promise<Fleet> {
  const nodes: { role: Role; node: VictimNode }[] = []
  let receiverPort = 0
  const start = async (role: Role): Promise<VictimNode> => {
    const port = role === 'receiver' ? receiverPort : 0
    // As a supervisor would: one that starts while PostgreSQL is down ends at once, and is started again.
    const attempt = () =>
      stage.victim(null, { role, port }).catch((error: unknown) => {
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
    async kill() {
      const one = any()
      if (!one) return
      await one.node.end()
      fleet.kills += 1
      one.node = await start(one.role)
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
