import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What passed on the way to the other system. */
export interface Passed {
  method: string
  path: string
  body: string
  requestId: string | null
}

/** A line between a driver and the system it speaks to: it records, loses answers after they took effect, and can be cut. */
export interface Wire {
  url: string
  passed(): Passed[]
  /** The next request that matches (path, then body) takes effect, and its answer never arrives. */
  loseAnswerTo(match: RegExp): void
  /** Refuses connections until `up`. */
  down(): Promise<void>
  up(): Promise<void>
  close(): Promise<void>
}

export async function openWire(targetUrl: string): Promise<Wire> {
  const target = new URL(targetUrl)
  const seen: Passed[] = []
  let losing: RegExp | undefined
  const server = createServer((request, response) => void pass(request, response))

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const path = request.url ?? '/'
    const id = request.headers['x-request-id']
    seen.push({ method: request.method ?? '', path, body: body.toString('utf8'), requestId: typeof id === 'string' ? id : null })
    const lost = losing?.test(`${path} ${body.toString('utf8')}`) ?? false
    if (lost) losing = undefined
    const onward = send({ host: target.hostname, port: target.port, path, method: request.method, headers: request.headers }, (reply) => {
      if (lost) {
        // Only when the answer is whole has the request surely taken effect.
        reply.resume().on('end', () => request.socket.destroy())
        return
      }
      response.writeHead(reply.statusCode ?? 502, reply.headers)
      reply.pipe(response)
    })
    onward.on('error', () => request.socket.destroy())
    onward.end(body)
  }

  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', () => resolve()))
  await listen(0)
  const { port } = server.address() as AddressInfo
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return {
    url: `http://127.0.0.1:${port}`,
    passed: () => [...seen],
    loseAnswerTo: (match) => {
      losing = match
    },
    down: stop,
    up: () => listen(port),
    close: async () => {
      if (server.listening) await stop()
    },
  }
}
