import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { EVERYTHING } from '../plan.ts'
import type { Stage } from '../stage.ts'
import type { Script } from './script.ts'
import { bought } from './webhooks.ts'

/** Bodies of a phase: as many as it takes for several collections of garbage. */
const BODIES = 100
const KB = 1_000
const MB = 1_000_000

/** W7: bodies of 1 and 10 MB, heads and bodies that never end, a thousand idle sockets: memory stays flat, others are answered. */
export const greedySenders: Script = {
  async run(stage) {
    const { running } = stage
    await stage.calm(...EVERYTHING)
    const node = await stage.victim(null, { role: 'receiver' })
    await stage.callbackTo(node.port)
    const url = `http://127.0.0.1:${node.port}/webhooks/mercadolibre/${running.hub.config.mercadolibre.pathSecret.reveal()}`
    const ordinary = (): Promise<void> => post(url, 900 * KB)
    await settled(node.pid, ordinary)
    const calm = await rssDuring(node.pid, () => repeated(BODIES, ordinary))
    const attacked = await rssDuring(node.pid, () => attack(stage, node.port, url))
    const [calmMost, most] = [Math.max(...calm), Math.max(...attacked)]
    Object.assign(stage.figures, {
      'MB calm, median': medianOf(calm),
      'MB calm, highest': calmMost,
      'MB under attack, median': medianOf(attacked),
      'MB under attack, highest': most,
    })
    // Highest against highest: garbage that waits for its collection lifts the figure by a fifth in calm too, so a median says nothing of a peak.
    stage.check(most <= calmMost * 1.1, `memory is flat: up to ${calmMost} MB in calm, up to ${most} MB under attack`)
    await stage.callbackTo(0)
    return { erpToMarketplace: 0, marketplaceToErp: 1 }
  },
}

// What is refused before its end is no answer, and none is needed.
const post = (url: string, bytes: number): Promise<void> =>
  fetch(url, { method: 'POST', body: Buffer.alloc(bytes, 'x') }).then(
    (reply) => reply.arrayBuffer().then(() => {}),
    () => {},
  )

async function repeated(times: number, act: (i: number) => Promise<void>): Promise<void> {
  for (let i = 0; i < times; i++) await act(i)
}

/** Slow senders and oversized bodies at once, and a sale that is heard of meanwhile. */
async function attack(stage: Stage, port: number, url: string): Promise<void> {
  const slow = slowSockets(port)
  try {
    await repeated(BODIES, (i) => post(url, i % 2 ? MB : 10 * MB))
    const resource = `/orders/${(await bought(stage)).order_ids[0]}`
    stage.fire(`1,000 idle sockets, 50 endless heads, 50 endless bodies, ${BODIES} oversized ones`, resource)
    const heard = () => stage.rows(`SELECT FROM inbound_event WHERE resource = $1`, [resource])
    await stage.eventually(async () => (await heard()).length > 0, 'others are answered meanwhile', 10_000)
  } finally {
    slow.end()
  }
}

/** Connections that say nothing, and some whose head or body never ends. */
function slowSockets(port: number): { end(): void } {
  const open = (): Socket => connect(port, '127.0.0.1').on('error', () => {})
  const dripping = (begin: string, drop: string): Socket => {
    const socket = open()
    socket.write(`POST /webhooks/mercadolibre/x HTTP/1.1\r\nhost: a\r\n${begin}`)
    const timer = setInterval(() => socket.write(drop), 50)
    return socket.once('close', () => clearInterval(timer))
  }
  const sockets = [
    ...Array.from({ length: 1_000 }, open),
    ...Array.from({ length: 50 }, () => dripping('', 'x-drop: x\r\n')),
    ...Array.from({ length: 50 }, () => dripping('transfer-encoding: chunked\r\n\r\n', '1\r\nx\r\n')),
  ]
  return {
    end() {
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Until the collector of a process lets what it holds for this work rise no more. */
async function settled(pid: number | undefined, work: () => Promise<void>): Promise<void> {
  let highest = 0
  for (let since = 0, round = 0; since < 3 && round < 40; round++) {
    const most = Math.max(...(await rssDuring(pid, () => repeated(10, work))))
    since = most > highest * 1.01 ? 0 : since + 1
    highest = Math.max(highest, most)
  }
}

/** Samples of what a process holds while that is done, in MB. */
async function rssDuring(pid: number | undefined, act: () => Promise<void>): Promise<number[]> {
  const rss = (): number => Math.round((Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096) / MB)
  const samples = [rss()]
  const timer = setInterval(() => samples.push(rss()), 20)
  try {
    await act()
  } finally {
    clearInterval(timer)
  }
  return [...samples, rss()]
}

const medianOf = (samples: readonly number[]): number => samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)] ?? 0
