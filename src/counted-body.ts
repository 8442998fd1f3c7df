import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

interface CountedBody {
  /** Room for so many bytes more; false where there is none, and the body ends with `BodiesFull`. */
  take: (bytes: number) => boolean
  /** Bytes that one body may have: of one that has more, nothing is held beyond the piece that says so. */
  most: number
}

/** The body of a request, for a server that refuses one which is too long by itself. No error of it ends the process. */
export function countedBody(request: IncomingMessage, { take, most }: CountedBody): Readable {
  const body = Readable.from(
    (async function* () {
      let held = 0
      // The connection outlives a refusal, which could not be answered otherwise.
      for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        // Fastify refuses it by now. The rest is read into nothing, or the sender might never see the answer.
        if (held > most) continue
        if (!take(chunk.length)) throw new BodiesFull()
        held += chunk.length
        yield chunk
      }
    })(),
  )
  // Nor does Fastify listen any more: a sender that then hangs up would end the process.
  return body.on('error', () => {})
}

/** Bodies on their way hold as much as they may. */
export class BodiesFull extends Error {
  override readonly name = 'BodiesFull'
  readonly statusCode = 503
  constructor() {
    super('bodies on their way hold as much as they may')
  }
}
