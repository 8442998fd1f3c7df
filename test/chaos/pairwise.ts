import { seeded } from './plan.ts'

export type Row = number[]

export interface Pairing {
  seed: number
  /** Rows there are at least; what the pairs do not need is drawn. */
  least: number
}

/**
 * Rows of choices, one number a factor, so that every pair of values of any two factors stands in a row that `isPossible`; greedy, the same for
 * the same seed. A pair that no possible row holds is left out.
 */
export function pairwise(sizes: readonly number[], isPossible: (row: Row) => boolean, { seed, least }: Pairing): Row[] {
  const random = seeded(seed)
  const open = openPairs(sizes)
  const rows: Row[] = []
  while (open.size > 0) {
    const first = [...open][Math.floor(random() * open.size)] ?? ''
    let best: Row | null = null
    let most = 0
    for (let i = 0; i < CANDIDATES; i++) {
      const row = candidate(sizes, first, random)
      if (!isPossible(row)) continue
      const covered = pairsOf(row).filter((pair) => open.has(pair)).length
      if (covered > most) [best, most] = [row, covered]
    }
    if (best === null) open.delete(first)
    else {
      for (const pair of pairsOf(best)) open.delete(pair)
      rows.push(best)
    }
  }
  while (rows.length < least) {
    const row = drawn(sizes, random)
    if (isPossible(row)) rows.push(row)
  }
  return rows
}

const drawn = (sizes: readonly number[], random: () => number): Row => sizes.map((size) => Math.floor(random() * size))

const CANDIDATES = 300

function openPairs(sizes: readonly number[]): Set<string> {
  const pairs = new Set<string>()
  for (let a = 0; a < sizes.length; a++)
    for (let b = a + 1; b < sizes.length; b++)
      for (let i = 0; i < (sizes[a] ?? 0); i++) for (let j = 0; j < (sizes[b] ?? 0); j++) pairs.add(`${a}=${i} ${b}=${j}`)
  return pairs
}

function pairsOf(row: Row): string[] {
  return row.flatMap((i, a) => row.slice(a + 1).map((j, at) => `${a}=${i} ${a + 1 + at}=${j}`))
}

function candidate(sizes: readonly number[], pair: string, random: () => number): Row {
  const row = drawn(sizes, random)
  for (const part of pair.split(' ')) {
    const [factor, value] = part.split('=').map(Number)
    if (factor !== undefined && value !== undefined) row[factor] = value
  }
  return row
}
