import { type TypedIdentifier, readIdentifier } from '../core/identifier.ts'
import { IntegrationError } from '../core/integration-error.ts'
import type { ErpAnswer, OrderFacts } from '../core/order-facts.ts'
import type { Erp } from '../ports/erp.ts'
import type { Candidate, OrderTrace } from '../ports/order-trace.ts'

export interface LocatePorts {
  trace: OrderTrace
  /** Asked about what nobody in the database knows; null where there is none. */
  erp: Pick<Erp, 'find'> | null
}

export type Located =
  | { kind: 'located'; facts: OrderFacts; lookedIn: string[] }
  | { kind: 'ambiguous'; typed: string; candidates: Candidate[] }
  /** Nothing that could be an identifier was typed. */
  | { kind: 'unreadable' }

const ERP_LIMIT_MS = 3_000

/** Finds what was typed and reads all facts of it. An order that no system knows has facts too: where we looked, and what is near. */
export async function locateOrder(typed: unknown, { trace, erp }: LocatePorts): Promise<Located> {
  const identifier = readIdentifier(typed)
  if (identifier.text === '') return { kind: 'unreadable' }
  const resolved = await trace.resolve(identifier)
  switch (resolved.kind) {
    case 'ambiguous':
      return { kind: 'ambiguous', typed: identifier.text, candidates: resolved.candidates }
    case 'found': {
      const facts = await trace.facts(resolved.orderId, identifier.text, resolved.focus)
      if (facts) return { kind: 'located', facts, lookedIn: ['hub'] }
      return locateOutside(identifier, { trace, erp }, { nearest: [], lookedIn: ['hub'] })
    }
    case 'unapplied':
      return {
        kind: 'located',
        facts: await trace.factsOfUnapplied(resolved.unapplied, identifier.text, resolved.focus),
        lookedIn: ['hub'],
      }
    case 'unknown':
      return locateOutside(identifier, { trace, erp }, resolved)
  }
}

async function locateOutside(
  identifier: TypedIdentifier,
  { trace, erp }: LocatePorts,
  { nearest, lookedIn }: { nearest: string[]; lookedIn: string[] },
): Promise<Located> {
  const [answer, facts] = await Promise.all([
    erp ? askErp(erp, identifier.text) : null,
    trace.factsOfUnapplied({ quarantineIds: [], inboundIds: [] }, identifier.text, null),
  ])
  const known = await heldUnderErpId(trace, identifier, answer)
  const where = erp ? [...lookedIn, 'ERP'] : lookedIn
  return { kind: 'located', facts: known ?? { ...facts, erp: answer, nearest }, lookedIn: where }
}

async function askErp(erp: Pick<Erp, 'find'>, typed: string): Promise<ErpAnswer> {
  const limit = AbortSignal.timeout(ERP_LIMIT_MS)
  try {
    const found = await erp.find(typed, limit)
    if (found.length === 0) return { kind: 'nothing' }
    return { kind: 'found', orders: found.slice(0, 5).map(({ erpId, erpName, state, version }) => ({ erpId, erpName, state, version })) }
  } catch (error) {
    if (limit.aborted) return { kind: 'failed', code: 'no-answer' }
    if (error instanceof IntegrationError) return { kind: 'failed', code: error.code }
    throw error
  }
}

// The ERP may know it by a reference that the hub does not index, while the hub holds the order, or its quarantine, under its ERP id.
async function heldUnderErpId(trace: OrderTrace, identifier: TypedIdentifier, answer: ErpAnswer | null): Promise<OrderFacts | null> {
  const [only, second] = answer?.kind === 'found' ? answer.orders : []
  if (!only || second) return null
  const held = await trace.resolve(readIdentifier(`odoo-${only.erpId}`))
  if (held.kind === 'unapplied') return trace.factsOfUnapplied(held.unapplied, identifier.text, null)
  return held.kind === 'found' ? trace.facts(held.orderId, identifier.text, null) : null
}
