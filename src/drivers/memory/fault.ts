import { IntegrationError, type IntegrationErrorCode } from '../../core/integration-error.ts'

/**
 * What a request meets: an answer that is lost, or cannot be read, after it took effect; no answer until its limit of 1.2 s or until the
 * caller gives up; or a failure without effect.
 */
export type MemoryFault =
  | 'answer-lost'
  | 'answer-spoilt'
  | 'hang'
  | IntegrationErrorCode
  | { code: IntegrationErrorCode; retryAfterMs: number }

/** Runs `effect` under a fault. Throws an IntegrationError, before the effect or after it as the fault says. */
export async function meet<T>(fault: MemoryFault | undefined, signal: AbortSignal, effect: () => T): Promise<T> {
  if (signal.aborted) throw new IntegrationError('no-answer', { summary: 'the call was given up' })
  if (fault === undefined) return effect()
  if (fault === 'hang') return untilGivenUp(signal)
  if (fault === 'answer-lost') {
    effect()
    throw new IntegrationError('no-answer', { summary: 'the answer was lost' })
  }
  if (fault === 'answer-spoilt') {
    effect()
    throw new IntegrationError('malformed-response', { summary: 'the answer cannot be read' })
  }
  if (typeof fault === 'string') throw new IntegrationError(fault, { summary: `told to fail with ${fault}` })
  throw new IntegrationError(fault.code, { summary: `told to fail with ${fault.code}`, retryAfterMs: fault.retryAfterMs })
}

const LIMIT_MS = 1_200

function untilGivenUp(signal: AbortSignal): Promise<never> {
  const either = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)])
  return new Promise((_resolve, reject) => {
    either.addEventListener('abort', () => reject(new IntegrationError('no-answer', { summary: 'no answer before the call was given up' })))
  })
}
