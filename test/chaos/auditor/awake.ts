import { type Sample, samplesOf } from './sample-file.ts'

/** From when to when a node was frozen, or the database made to answer late; milliseconds since the epoch. */
export interface Freeze {
  from: number
  to: number
}

export function freezesOf(samples: readonly Sample[]): Freeze[] {
  return samplesOf(samples, 'frozen')
    .map(({ at, until }) => ({ from: Date.parse(at), to: Date.parse(until) }))
    .toSorted((a, b) => a.from - b.from)
}

/** Of the last `lastedMs` milliseconds before `to` those that lie in no freeze; these in the order of their beginnings. */
export function awakeMs(to: number, lastedMs: number, freezes: readonly Freeze[]): number {
  let from = to - lastedMs
  let awake = 0
  for (const freeze of freezes) {
    awake += Math.max(0, Math.min(freeze.from, to) - from)
    from = Math.max(from, freeze.to)
  }
  return awake + Math.max(0, to - from)
}
