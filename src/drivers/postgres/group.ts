import { isDataError } from './sqlstate.ts'

export interface GroupOptions<In, Out> {
  /** Writes a batch in one commit; one answer per item, in the batch's order. */
  run(batch: In[]): Promise<Out[]>
  /** Batches under way at once. */
  flights: 1 | 2
  maxRows: number
  maxBytes: number
  /** The queue's bounds; what comes on top throws `QueueFull`. */
  maxWaitingRows: number
  maxWaitingBytes?: number
  /** Bytes of one item. */
  sizeOf(item: In): number
  /** Whether the batch is done again row by row after this error; by default after one of a row's own data. */
  isOneRows?: (error: unknown) => boolean
}

export interface Group<In, Out> {
  /** Resolves after the commit of the batch that took the item. Throws `QueueFull` at once when there is no room. */
  add(item: In): Promise<Out>
  /** Resolves when nothing waits and nothing is under way. */
  drain(): Promise<void>
}

/** The bounded queue has no room: nothing was written. */
export class QueueFull extends Error {
  override readonly name = 'QueueFull'
}

interface Waiting<In, Out> {
  item: In
  bytes: number
  resolve(out: Out): void
  reject(error: unknown): void
}

/**
 * Many writers, few commits: flushes as soon as a flight is free, so a lone writer never waits and a crowd shares one commit.
 * A group that fails on a row's own data is done again row by row, and only the culprit fails.
 */
export function grouped<In, Out>(options: GroupOptions<In, Out>): Group<In, Out> {
  const queue: Waiting<In, Out>[] = []
  const idle: (() => void)[] = []
  let waitingBytes = 0
  let flying = 0
  let scheduled = false

  const schedule = (): void => {
    if (scheduled || flying >= options.flights || queue.length === 0) return
    scheduled = true
    // Next turn of the loop, not a timer: whoever comes in the same turn shares the commit.
    setImmediate(() => {
      scheduled = false
      while (flying < options.flights && queue.length > 0) void fly(takeBatch(queue, options))
    })
  }
  const fly = async (batch: Waiting<In, Out>[]): Promise<void> => {
    flying += 1
    waitingBytes -= batch.reduce((sum, w) => sum + w.bytes, 0)
    await settleBatch(batch, options)
    flying -= 1
    if (flying === 0 && queue.length === 0) for (const resolve of idle.splice(0)) resolve()
    schedule()
  }
  return {
    add: (item) => {
      const bytes = options.sizeOf(item)
      const room = queue.length < options.maxWaitingRows && waitingBytes + bytes <= (options.maxWaitingBytes ?? Number.POSITIVE_INFINITY)
      if (!room) return Promise.reject(new QueueFull(`the queue holds ${queue.length} rows and ${waitingBytes} bytes: no room`))
      return new Promise((resolve, reject) => {
        queue.push({ item, bytes, resolve, reject })
        waitingBytes += bytes
        schedule()
      })
    },
    drain: () => (flying === 0 && queue.length === 0 ? Promise.resolve() : new Promise((resolve) => idle.push(resolve))),
  }
}

function takeBatch<In, Out>(queue: Waiting<In, Out>[], options: GroupOptions<In, Out>): Waiting<In, Out>[] {
  let rows = 0
  let bytes = 0
  for (const waiting of queue) {
    if (rows > 0 && (rows >= options.maxRows || bytes + waiting.bytes > options.maxBytes)) break
    rows += 1
    bytes += waiting.bytes
  }
  return queue.splice(0, rows)
}

async function settleBatch<In, Out>(batch: Waiting<In, Out>[], options: GroupOptions<In, Out>): Promise<void> {
  try {
    const outs = await options.run(batch.map((w) => w.item))
    if (outs.length !== batch.length) throw new Error(`a group of ${batch.length} rows got ${outs.length} answers`)
    batch.forEach((w, at) => w.resolve(outs[at] as Out))
  } catch (error) {
    if (batch.length > 1 && (options.isOneRows ?? isDataError)(error)) for (const waiting of batch) await settleBatch([waiting], options)
    else for (const waiting of batch) waiting.reject(error)
  }
}
