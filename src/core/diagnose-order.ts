import { causeCodeOf, type Finding } from './finding.ts'
import { erpCursors, type OrderFacts, type SilverFact } from './order-facts.ts'
import { codeWord, plainLine } from './untrusted.ts'

const OPEN_STATES = ['draft', 'sent', 'cancel']

/** What stands on the order itself: quarantine, holds, statuses nobody maps, impossible steps, drifts. */
export function diagnoseOrder(facts: OrderFacts, order: SilverFact): Finding[] {
  const silver = (says: string): Finding['evidence'] => [{ table: 'silver_order', id: order.id, says }]
  const base = { certainty: 'certain' as const, target: null, deadLetter: null }
  const found: Finding[] = [...quarantined(facts), ...drifted(facts)]
  const [step] = order.illegal
  if (step)
    found.push({
      ...base,
      cause: 'illegal-transition',
      sentence: `A newer statement says ${step.axis} went from ${step.from} to ${step.to}, which no rule allows; it was not applied.`,
      evidence: silver(`illegal ${step.axis} ${step.from} to ${step.to}`),
    })
  if (order.flags.includes('unknown_status'))
    found.push({
      ...base,
      cause: 'unmapped-status',
      sentence: `${order.origin} reports a status that the map does not know; it is kept as it came.`,
      evidence: silver('flag unknown_status'),
    })
  const hold = order.flags.includes('hold_fraud') ? 'a fraud alert' : order.flags.includes('mediation') ? 'an open mediation' : null
  if (hold && order.lifecycle === 'open')
    found.push({
      ...base,
      cause: 'on-hold',
      sentence: `${order.origin} holds the order since ${order.updatedAt} or before: ${hold}.`,
      evidence: silver(`flags ${order.flags.join(', ')}`),
    })
  return found
}

/** What stands on an identifier that no silver order bears. Always at least one finding. */
export function diagnoseUnheld(facts: OrderFacts): Finding[] {
  const waiting = quarantined(facts)
  return waiting.length > 0 ? waiting : erpSays(facts)
}

function quarantined(facts: OrderFacts): Finding[] {
  return facts.quarantine
    .filter((q) => q.resolvedAt === null)
    .slice(0, 1)
    .map((q) => ({
      cause: 'erp-order-invalid',
      certainty: 'certain',
      target: 'odoo',
      deadLetter: null,
      sentence: `The ERP order ${codeWord(q.erpName)} waits in quarantine since ${q.foundAt}: field ${codeWord(q.field)}, ${plainLine(q.problem, 160)}.`,
      evidence: [{ table: 'erp_quarantine', id: q.id, says: `field ${codeWord(q.field)}: ${plainLine(q.problem, 160)}` }],
    }))
}

function drifted(facts: OrderFacts): Finding[] {
  return (
    facts.drifts
      // The binding says more of a copy than its drift does: every id.
      .filter(
        (d) =>
          d.resolvedAt === null &&
          !(d.kind === 'duplicate' && facts.bindings.some((b) => b.channel === d.channel && b.duplicates.length > 0)),
      )
      .map((d) => {
        const fields = d.fields.map((f) => codeWord(f)).join(', ')
        const cause = causeCodeOf(d.cause, 'drift')
        return {
          cause,
          certainty: 'certain',
          target: d.channel,
          deadLetter: null,
          sentence: `The comparison with ${d.channel} found ${codeWord(d.kind)} at ${d.foundAt}${fields ? `: ${fields}` : ''}.`,
          evidence: [{ table: 'drift', id: d.id, says: `${codeWord(d.kind)}${fields ? `: ${fields}` : ''}` }],
        }
      })
  )
}

function erpSays(facts: OrderFacts): Finding[] {
  const collector = erpCursors(facts)[0]
  const cursor: Finding['evidence'] = collector
    ? [
        {
          table: 'cursor',
          id: collector.name,
          says: `watermark ${collector.watermark ?? 'none'}, moved ${collector.movedAt ?? 'never'}, failing since ${collector.failedSince ?? 'not failing'}`,
        },
      ]
    : []
  const base = { target: null, deadLetter: null }
  const failing = erpCursors(facts).find((c) => c.failedSince !== null)
  if (facts.erp?.kind === 'found') return erpHolds(facts.erp.orders, cursor, failing?.failedSince ?? null)
  if (facts.erp?.kind === 'failed' || failing) {
    const since = failing?.failedSince ?? facts.at
    const code = facts.erp?.kind === 'failed' ? facts.erp.code : plainLine(failing?.failureCode, 60) || 'unreachable'
    const asked: Finding['evidence'] = facts.erp?.kind === 'failed' ? [{ table: 'erp', id: 'find', says: `look-up failed: ${code}` }] : []
    return [
      {
        ...base,
        cause: 'erp-unreachable',
        certainty: 'likely',
        sentence: `The hub cannot read the ERP since ${since} (${code}) and holds no such order: it may be newer than what was read.`,
        evidence: [...asked, ...cursor],
      },
    ]
  }
  const asked: Finding['evidence'] = [
    { table: 'identifier', id: facts.typed.slice(0, 200), says: 'no row' },
    ...(facts.erp?.kind === 'nothing' ? [{ table: 'erp' as const, id: 'find', says: 'no order by id, name or reference' }] : []),
  ]
  const nowhere =
    facts.erp === null
      ? 'Nothing in the hub bears this identifier; the ERP was not asked.'
      : 'Neither the hub nor the ERP knows this identifier.'
  return [
    { ...base, cause: 'not-found-anywhere', certainty: facts.erp === null ? 'likely' : 'certain', sentence: nowhere, evidence: asked },
  ]
}

function erpHolds(
  orders: { erpId: string; erpName: string; state: string; version: string }[],
  cursor: Finding['evidence'],
  failedSince: string | null,
): Finding[] {
  return orders.slice(0, 3).map((o) => {
    const evidence: Finding['evidence'] = [
      {
        table: 'erp',
        id: codeWord(o.erpId),
        says: `${codeWord(o.erpName)}, state ${codeWord(o.state)}, version ${codeWord(o.version)}`,
      },
      ...cursor,
    ]
    const base = { certainty: 'certain' as const, target: null, deadLetter: null, evidence }
    const name = codeWord(o.erpName)
    if (OPEN_STATES.includes(o.state))
      return { ...base, cause: 'erp-not-confirmed', sentence: `The ERP holds ${name} in state ${o.state}: only confirmed orders are sent.` }
    if (failedSince !== null)
      return {
        ...base,
        cause: 'erp-unreachable',
        sentence: `The ERP holds ${name}, and the collector cannot read the ERP since ${failedSince}.`,
      }
    return {
      ...base,
      cause: 'collector-lagging',
      sentence: `The ERP holds ${name} (version ${codeWord(o.version)}) and the collector has not read it yet.`,
    }
  })
}
