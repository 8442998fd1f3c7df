import type { Door, Input } from './door.ts'
import { judged } from './run-door.ts'

const MOST_TRIES = 150

/** Cuts pieces out of an input as long as what is left still breaks the door the same way: what is kept is what matters. */
export async function shrunk(door: Door, input: Input, broke: string): Promise<Input> {
  const opened = await door.open()
  let best = Buffer.from(input.bytes)
  let tries = 0
  const stillBreaks = async (bytes: Buffer): Promise<boolean> => {
    tries += 1
    return (await breakage(() => judged(opened, { target: input.target, bytes }))) === broke
  }
  try {
    for (let size = Math.ceil(best.length / 2); size >= 1 && tries < MOST_TRIES; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let at = 0; at < best.length && tries < MOST_TRIES; ) {
        const without = Buffer.concat([best.subarray(0, at), best.subarray(at + size)])
        if (await stillBreaks(without)) best = without
        else at += size
      }
    }
  } finally {
    await opened.close()
  }
  return { target: input.target, bytes: best }
}

async function breakage(work: () => Promise<unknown>): Promise<string | null> {
  try {
    await work()
    return null
  } catch (error) {
    return wordsOf(error)
  }
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 200) : String(error)
}
