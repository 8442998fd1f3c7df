export interface BodyLimits {
  /** Bytes of bodies that may be held at once. */
  most: number
  /** The same for one source, so that one alone never takes the room of the others. */
  mostPerSource: number
}

/** Bytes of request bodies that are held in memory, in all and by source. */
export interface BodyBudget {
  /** Room for further bytes of a source; false, and nothing taken, where there is none. */
  take(source: string, bytes: number): boolean
  /** Gives room back that was taken. */
  give(source: string, bytes: number): void
}

export function bodyBudget({ most, mostPerSource }: BodyLimits): BodyBudget {
  const bySource = new Map<string, number>()
  let held = 0
  const add = (source: string, bytes: number): void => {
    held += bytes
    const ofSource = (bySource.get(source) ?? 0) + bytes
    if (ofSource > 0) bySource.set(source, ofSource)
    else bySource.delete(source)
  }
  return {
    take: (source, bytes) => {
      if (held + bytes > most || (bySource.get(source) ?? 0) + bytes > mostPerSource) return false
      add(source, bytes)
      return true
    },
    give: (source, bytes) => add(source, -bytes),
  }
}
