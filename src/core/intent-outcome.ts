/** What is stored of an intent that nobody closed. */
export interface IntentEvidence {
  /** All that the act changes commits together with its `operation_effect`, so that where none stands nothing was changed. */
  isNoted: boolean
  effect: Record<string, unknown> | null
}

export type ProvenOutcome =
  | { result: 'ok'; effect: Record<string, unknown> }
  | { result: 'error'; errorCode: 'no-effect' }
  /** Nothing that is stored says whether it took effect: an outcome like any other, and final. */
  | { result: 'unknown'; errorCode: 'not-provable' }

/** How an act ended whose process never said so, by what is stored of it alone. */
export function provenOutcome({ isNoted, effect }: IntentEvidence): ProvenOutcome {
  if (effect) return { result: 'ok', effect }
  return isNoted ? { result: 'error', errorCode: 'no-effect' } : { result: 'unknown', errorCode: 'not-provable' }
}
