import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Breach, type Door, holds, type Input, type Judgement, type OpenDoor } from './door.ts'
import { mutated } from './mutate.ts'
import { seededRandom } from './seeded-random.ts'

export interface Crash {
  input: Input
  error: unknown
  /** Place in the run: the same seed comes to the same input there. */
  at: number
}

export interface Outcome {
  door: string
  runs: number
  accepted: number
  refused: number
  crashes: Crash[]
  seconds: number
}

export interface RunOptions {
  runs: number
  seed: number
  /** Ends early after this many; what one mistake breaks, a thousand inputs break. */
  mostCrashes?: number
  progress?: (outcome: Outcome) => void
}

/** What may stand on the heap after a run beyond what stood there before it; caches and connection pools are in it. */
const MOST_GROWTH_BYTES = 64 * 1024 * 1024
const PROGRESS_EVERY = 100

/** Gives a door its samples as they are, then mutations of them, and counts what came of it. */
export async function runDoor(door: Door, options: RunOptions): Promise<Outcome> {
  const random = seededRandom(`${options.seed}/${door.name}`)
  const outcome: Outcome = { door: door.name, runs: 0, accepted: 0, refused: 0, crashes: [], seconds: 0 }
  const startedAt = performance.now()
  const opened = await door.open()
  const strays: unknown[] = []
  const stray = (error: unknown): void => void strays.push(error)
  process.on('uncaughtException', stray)
  process.on('unhandledRejection', stray)
  try {
    const heapBefore = heapBytes()
    for (let at = 0; at < options.runs && outcome.crashes.length < (options.mostCrashes ?? 20); at++) {
      const valid = door.samples[at]
      const given = valid ?? random.pick(door.samples)
      const input = valid ?? { target: given.target, bytes: mutated(given.bytes, random) }
      const crash = await crashOf(opened, input, valid !== undefined, outcome)
      if (strays.length > 0 || crash) outcome.crashes.push({ input, error: crash?.error ?? strays.splice(0)[0], at })
      outcome.runs += 1
      if (outcome.runs % PROGRESS_EVERY === 0) options.progress?.(outcome)
    }
    const grown = heapBytes() - heapBefore
    if (grown > MOST_GROWTH_BYTES) {
      const error = new Breach(`${Math.round(grown / 2 ** 20)} MiB stay on the heap after ${outcome.runs} inputs`)
      outcome.crashes.push({ input: { target: 'the whole run', bytes: new Uint8Array() }, error, at: outcome.runs })
    }
  } finally {
    await opened.close()
    process.off('uncaughtException', stray)
    process.off('unhandledRejection', stray)
  }
  outcome.seconds = (performance.now() - startedAt) / 1000
  return outcome
}

async function crashOf(opened: OpenDoor, input: Input, isValid: boolean, outcome: Outcome): Promise<{ error: unknown } | undefined> {
  try {
    const judgement = await judged(opened, input)
    holds(!isValid || judgement === 'accepted', 'a valid sample is refused')
    outcome[judgement] += 1
    return undefined
  } catch (error) {
    return { error }
  }
}

const MOST_CPU_MS = 3_000
const PROTOTYPES: readonly object[] = [
  Object.prototype,
  Array.prototype,
  Function.prototype,
  String.prototype,
  Number.prototype,
  Map.prototype,
]
const OWN_BEFORE = PROTOTYPES.map((prototype) => Reflect.ownKeys(prototype).length)

/** One input, and what holds at every door: it ends soon, and leaves every prototype as it was. */
export async function judged(opened: OpenDoor, input: Input): Promise<Judgement> {
  const cpuBefore = process.cpuUsage()
  const judgement = await opened.judge(input)
  // What was thrown aside shows on the next turn.
  await nextTurn()
  const { user, system } = process.cpuUsage(cpuBefore)
  holds(user + system < MOST_CPU_MS * 1000, `it took ${Math.round((user + system) / 1000)} ms of CPU`)
  for (const [at, prototype] of PROTOTYPES.entries()) {
    holds(
      Reflect.ownKeys(prototype).length === OWN_BEFORE[at],
      `a prototype got a property: ${Reflect.ownKeys(prototype).map(String).at(-1)}`,
    )
  }
  return judgement
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}
