import { z } from 'zod'
import type { Diagnosis } from '../../core/diagnosis.ts'
import { codeWord } from '../../core/untrusted.ts'
import type { BadMarketplace } from '../../flows/marketplace-filter.ts'
import type { Candidate } from '../../ports/order-trace.ts'
import type { Answer, Suggestion } from './tool.ts'

/** Any identifier a person would type. */
export const OrderId = z.string().trim().min(1).max(200).describe('Any id people use: ML-98345, PARIS-…, bare id, pack, S00042, odoo-42')
export const Reason = z.string().max(200).optional().describe('why, without names or contacts')
export const Marketplace = z.string().max(80).optional().describe('mercadolibre, paris, odoo or a channel id')
export const SinceWindow = z.string().max(40).optional().describe('24h (default), 7d or ISO time')
export const ResponseFormat = z.enum(['concise', 'detailed']).optional()

/** Rows whose keys the description of their tool explains: spelling each out in a schema costs more tokens than it tells. */
export const Row = z.record(z.string(), z.unknown())

/** Longest answer: about 5,000 tokens. */
const MOST_CHARACTERS = 19_000

/** More than one order bears the identifier: they are ranked and named by ids that name one order each. */
export function ambiguousAnswer(typed: string, candidates: readonly Candidate[]): Answer {
  const rows = candidateRows(candidates)
  return {
    kind: 'answer',
    data: {
      order_id: codeWord(typed, 200),
      found: false,
      sentence: `${rows.length} orders answer to this identifier: call again with the order_id of one candidate.`,
      candidates: rows,
    },
    suggestions: callsFor('trace_order', rows),
    audited: false,
    held: true,
  }
}

/** The same of a flow that was asked to change something and recorded that it did not: an error, as nothing was, that leads to the same tool with one candidate. */
export function ambiguousRefusal(tool: string, candidates: readonly Candidate[]): Answer {
  const rows = candidateRows(candidates)
  const named = rows.map((r) => `${r.order_id} (${r.known}, ${r.kind} at ${r.channel})`).join(', ')
  return {
    kind: 'error',
    code: 'ambiguous',
    sentence: `${rows.length} orders answer to this identifier: ${named}. Nothing was changed; call again with the order_id of one.`,
    suggestions: callsFor(tool, rows),
    audited: true,
  }
}

interface CandidateRow {
  order_id: string
  known: string
  kind: string
  channel: string
}

function candidateRows(candidates: readonly Candidate[]): CandidateRow[] {
  return candidates.map((c) => ({ order_id: `hub-${c.orderId}`, known: codeWord(c.known), kind: c.kind, channel: c.channel }))
}

function callsFor(toolName: string, rows: readonly CandidateRow[]): Suggestion[] {
  return rows.slice(0, 3).map((r) => ({ toolName, arguments: { order_id: r.order_id }, reason: `${r.kind} at ${r.channel}` }))
}

export function unreadableAnswer(): Answer {
  return {
    kind: 'error',
    code: 'invalid-arguments',
    sentence: 'order_id holds nothing that could be an identifier. Nothing was changed.',
    audited: false,
  }
}

/** A filter that names no marketplace and no channel, answered with those that there are. */
export function badMarketplace({ known }: BadMarketplace): Answer & { kind: 'error' } {
  return {
    kind: 'error',
    code: 'invalid-arguments',
    sentence: `marketplace: there is none of that name; there are ${known.join(', ')}.`,
    audited: false,
  }
}

/** The call that a diagnosis leads to, and the ones that show more. */
export function suggestionsOf(diagnosis: Diagnosis, orderId: string, tool: string): Suggestion[] {
  const next = diagnosis.nextStep.tool
  const first: Suggestion[] =
    next && next.name !== tool ? [{ toolName: next.name, arguments: next.arguments, reason: diagnosis.nextStep.sentence }] : []
  const more: Suggestion[] =
    tool === 'trace_order'
      ? [{ toolName: 'get_order_status', arguments: { order_id: orderId }, reason: 'The state in each system.' }]
      : [{ toolName: 'trace_order', arguments: { order_id: orderId }, reason: 'The whole timeline with its evidence.' }]
  return diagnosis.cause === 'not-found-anywhere'
    ? [{ toolName: 'find_failed_orders', arguments: {}, reason: 'Orders that are not where they should be.' }]
    : [...first, ...more]
}

/** Drops the oldest rows of a list until the whole fits; what is left out is counted by the caller's total. */
export function fitted<T>(rows: readonly T[], build: (rows: readonly T[]) => Record<string, unknown>): Record<string, unknown> {
  let kept = rows
  let data = build(kept)
  while (kept.length > 1 && JSON.stringify(data).length > MOST_CHARACTERS) {
    kept = kept.slice(Math.ceil(kept.length / 4))
    data = build(kept)
  }
  return data
}

/** Without the keys that say nothing. */
export function present(data: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data).filter(([, value]) => value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0)),
  )
}
