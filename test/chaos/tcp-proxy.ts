import { createConnection, createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

/** What a proxy does to the connections that go through it. */
export type LinkFault =
  | { kind: 'none' }
  | { kind: 'latency'; ms: number }
  /** Every connection is reset at once, and new ones when they open. */
  | { kind: 'refuse' }
  /** Bytes are taken and go nowhere; nothing comes back. */
  | { kind: 'black-hole' }
  /** Requests pass, answers do not. */
  | { kind: 'half-open' }
  /** The connection is reset once this many bytes went in this direction since the fault began. */
  | { kind: 'cut'; direction: 'request' | 'answer'; atByte: number }

export interface TcpProxy {
  port: number
  /** Holds for open connections and for those to come. */
  set(fault: LinkFault): void
  /** Resets what is open now; connections to come pass. Answers how many there were. */
  resetAll(): number
  /** Bytes that the present fault held back, connections it reset: above 0 once it fired. */
  hits(): number
  open(): number
  close(): Promise<void>
}

interface State {
  fault: LinkFault
  hits: number
  links: Set<Link>
}

interface Link {
  client: Socket
  server: Socket
  /** Bytes since the fault began, by direction. */
  passed: { request: number; answer: number }
  /** Chunks on their way late, by direction: nothing may overtake them. */
  late: { request: number; answer: number; ms: number }
  /** A byte of it was dropped: what came after would be read as something else, so it can only be reset. */
  hasGap: boolean
}

/** Stands between the hub and another system, on a free port of loopback. */
export async function tcpProxy(targetPort: number): Promise<TcpProxy> {
  const state: State = { fault: { kind: 'none' }, hits: 0, links: new Set() }
  const listener = createServer({ noDelay: true }, (client) => accept(client, targetPort, state))
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  return {
    port: (listener.address() as AddressInfo).port,
    set(fault) {
      state.fault = fault
      state.hits = 0
      for (const link of state.links) {
        link.passed = { request: 0, answer: 0 }
        if (fault.kind === 'refuse' || link.hasGap) reset(link, state)
      }
    },
    resetAll() {
      const links = [...state.links]
      for (const link of links) reset(link, state)
      return links.length
    },
    hits: () => state.hits,
    open: () => state.links.size,
    async close() {
      for (const link of state.links) destroy(link)
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}

function accept(client: Socket, targetPort: number, state: State): void {
  if (state.fault.kind === 'refuse') {
    state.hits += 1
    client.resetAndDestroy()
    return
  }
  const server = createConnection({ port: targetPort, host: '127.0.0.1', noDelay: true })
  const link: Link = { client, server, passed: { request: 0, answer: 0 }, late: { request: 0, answer: 0, ms: 0 }, hasGap: false }
  state.links.add(link)
  relay(client, server, 'request', link, state)
  relay(server, client, 'answer', link, state)
}

function relay(from: Socket, to: Socket, direction: 'request' | 'answer', link: Link, state: State): void {
  from.on('data', (bytes: Buffer) => pass(bytes, to, direction, link, state))
  from.on('error', () => destroy(link))
  from.on('close', () => {
    // A silent link stays silent when one side ends: the other must find out by its own timeout.
    if (link.hasGap) return
    state.links.delete(link)
    to.end()
  })
}

function pass(bytes: Buffer, to: Socket, direction: 'request' | 'answer', link: Link, state: State): void {
  const { fault } = state
  switch (fault.kind) {
    case 'none':
      // Timers of one length end in the order in which they began.
      if (link.late[direction] > 0) writeLate(to, bytes, direction, link)
      else write(to, bytes)
      return
    case 'latency':
      state.hits += 1
      link.late.ms = fault.ms
      writeLate(to, bytes, direction, link)
      return
    case 'half-open':
      if (direction === 'request') {
        write(to, bytes)
        return
      }
      drop(link, state)
      return
    case 'black-hole':
      drop(link, state)
      return
    case 'refuse':
      reset(link, state)
      return
    case 'cut': {
      if (direction !== fault.direction) {
        write(to, bytes)
        return
      }
      const room = fault.atByte - link.passed[direction]
      link.passed[direction] += bytes.length
      if (bytes.length <= room) write(to, bytes)
      else to.write(bytes.subarray(0, Math.max(0, room)), () => reset(link, state))
    }
  }
}

function write(to: Socket, bytes: Buffer): void {
  if (!to.destroyed && to.writable) to.write(bytes)
}

function writeLate(to: Socket, bytes: Buffer, direction: 'request' | 'answer', { late }: Link): void {
  late[direction] += 1
  setTimeout(() => {
    late[direction] -= 1
    write(to, bytes)
  }, late.ms)
}

function drop(link: Link, state: State): void {
  state.hits += 1
  link.hasGap = true
}

function reset(link: Link, state: State): void {
  state.hits += 1
  state.links.delete(link)
  link.client.resetAndDestroy()
  link.server.resetAndDestroy()
}

function destroy(link: Link): void {
  link.client.destroy()
  link.server.destroy()
}
