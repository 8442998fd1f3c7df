/** What reaches a door: which of its readers it is for, and the bytes. */
export interface Input {
  target: string
  bytes: Uint8Array
}

export type Judgement = 'accepted' | 'refused'

export interface OpenDoor {
  /** Gives the bytes to the door and holds its property against what comes out. Throws where the property does not hold. */
  judge(input: Input): Promise<Judgement> | Judgement
  close(): Promise<void>
}

/** One place where something from outside comes in. */
export interface Door {
  name: string
  /** What holds for every input, in one sentence. */
  property: string
  /** Valid ones: each is accepted as it stands, and everything else is mutated from them. */
  samples: readonly Input[]
  open(): Promise<OpenDoor>
}

export const sample = (target: string, value: unknown): Input => ({
  target,
  bytes: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value), 'utf8'),
})

/** Throws when a property does not hold. Its message is what a person reads beside the fixture. */
export class Breach extends Error {
  override readonly name = 'Breach'
}

export function holds(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Breach(otherwise)
}
