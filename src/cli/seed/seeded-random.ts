export interface SeededRandom {
  /** In [0, 1). */
  next(): number
  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number
  /** One of them; the list must not be empty. */
  pick<T>(among: readonly T[]): T
}

/** mulberry32: the same seed gives the same Monday. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const between = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1))
  return {
    next,
    between,
    pick<T>(among: readonly T[]): T {
      const one = among[between(0, among.length - 1)]
      if (one === undefined) throw new RangeError('there is nothing to pick from')
      return one
    },
  }
}
