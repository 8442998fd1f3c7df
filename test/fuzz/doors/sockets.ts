import { type AddressInfo, connect } from 'node:net'
import { hmac, makeDoor, SECRET } from '../../support/webhook-door.ts'
import { holdsTight } from '../content.ts'
import { type Door, holds, type Input, type Judgement, sample } from '../door.ts'

const body = '{"id":"P-1"}'
const get = 'GET /health HTTP/1.1\r\nHost: hub\r\n\r\n'
const post = `POST /webhooks/paris HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nX-Paris-Signature: ${hmac(body)}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
const chunked = `POST /webhooks/mercadolibre/${SECRET} HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n`
const upgrade = 'GET /health HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nAccept: */*\r\nX-Long: ' + 'a'.repeat(9_000) + '\r\n\r\n'

/** Bytes on a socket of the webhook listener: broken HTTP, half requests, pipelines, huge headers. */
export const socketsDoor: Door = {
  name: 'sockets',
  property: 'Whatever bytes come over a socket, the listener stays up, answers below 500, keeps no memory, and answers the next client.',
  samples: [
    sample('one request', get),
    sample('one request', post),
    sample('chunked', chunked),
    sample('pipelined', get + post + get),
    sample('long header', upgrade),
  ],
  open: async () => {
    const door = await makeDoor()
    await door.open({ rate: { perSecond: 1e9, burst: 1e9 } })
    await door.app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = door.app.server.address() as AddressInfo
    return { judge: (input) => judge(port, input), close: () => door.close() }
  },
}

const CLOSING = Buffer.from('GET /health HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n')
/** How long a client that says something broken stays before it breaks off in the middle. */
const PATIENCE_MS = 40
const LONG_PATIENCE_MS = 20_000

async function judge(port: number, { bytes }: Input): Promise<Judgement> {
  const isWhole = socketsDoor.samples.some((one) => Buffer.from(one.bytes).equals(bytes))
  const said = await exchanged(port, bytes, isWhole ? LONG_PATIENCE_MS : PATIENCE_MS)
  for (const [, status] of said.matchAll(/HTTP\/1\.1 (\d{3}) /g)) holds(Number(status) < 500, `answered ${status}`)
  holdsTight(said, [SECRET], 'the answer')
  const next = await exchanged(port, CLOSING, LONG_PATIENCE_MS)
  holds(next.startsWith('HTTP/1.1 200'), `the next client is answered ${JSON.stringify(next.slice(0, 40))}`)
  return said.startsWith('HTTP/1.1 2') ? 'accepted' : 'refused'
}

/** Writes, reads what comes until the first answer is there or the patience ends, and breaks off. */
function exchanged(port: number, bytes: Uint8Array, patienceMs: number): Promise<string> {
  return new Promise((resolve) => {
    let said = ''
    const socket = connect(port, '127.0.0.1')
    const patience = setTimeout(() => socket.resetAndDestroy(), patienceMs)
    socket.on('connect', () => void socket.write(bytes))
    socket.on('data', (data) => {
      said += data.toString('latin1')
      if (said.includes('\r\n\r\n')) setImmediate(() => socket.resetAndDestroy())
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(patience)
      resolve(said)
    })
  })
}
