import type { CauseCode } from './cause-code.ts'
import { diagnoseEvent, diagnoseInbound } from './diagnose-inbound.ts'
import { diagnoseOrder, diagnoseUnheld } from './diagnose-order.ts'
import { diagnoseDelivery, diagnoseTargets } from './diagnose-target.ts'
import { byUrgency, type Evidence, type Finding } from './finding.ts'
import { type NextStep, nextStepOf } from './next-step.ts'
import { type DeliveryFact, isHeld, type OrderFacts } from './order-facts.ts'
import { ruleOut, type RuledOut } from './rule-out.ts'
import { codeWord } from './untrusted.ts'

export interface TargetVerdict {
  target: string
  cause: CauseCode
  sentence: string
  nextStep: NextStep
}

/** Why an order is, or is not, where it should be: one cause, the rows it stands on, what it is not, and the next safe step. */
export interface Diagnosis {
  cause: CauseCode
  certainty: 'certain' | 'likely'
  sentence: string
  evidence: Evidence[]
  ruledOut: RuledOut[]
  nextStep: NextStep
  /** `outbox-17` or `inbound-9`, when the cause stands on a dead letter. */
  deadLetter: string | null
  perTarget: TargetVerdict[]
  /** Other causes that the facts show, most urgent first. */
  alsoFound: { cause: CauseCode; target: string | null; sentence: string }[]
}

/** Total: every set of facts has a diagnosis. A focus (one delivery or event that was asked for) is answered before the order is. */
export function diagnose(facts: OrderFacts): Diagnosis {
  const targets = facts.order ? diagnoseTargets(facts, facts.order) : []
  const rest = [...(facts.order ? diagnoseOrder(facts, facts.order) : []), ...diagnoseInbound(facts)]
  const all = [...targets, ...rest].sort(byUrgency)
  const focus = focused(facts)
  const found = all.length > 0 || (focus && !facts.order) ? all : lastResort(facts)
  const headline = focus ?? found[0] ?? nothing(facts)
  const others = [...found].filter((f) => !(f.cause === headline.cause && f.target === headline.target))
  return {
    cause: headline.cause,
    certainty: headline.certainty,
    sentence: headline.sentence,
    evidence: headline.evidence.slice(0, 8),
    ruledOut: ruleOut(facts, headline.target).filter((r) => ![headline, ...all].some((f) => f.cause === r.cause)),
    nextStep: stepOf(facts, headline),
    deadLetter: headline.deadLetter,
    perTarget: perTarget(facts, [...targets].sort(byUrgency)),
    alsoFound: others.slice(0, 8).map(({ cause, target, sentence }) => ({ cause, target, sentence })),
  }
}

function focused(facts: OrderFacts): Finding | undefined {
  const { focus } = facts
  if (!focus) return undefined
  if (focus.table === 'delivery') {
    const delivery = facts.deliveries.find((d) => d.id === focus.id)
    if (!delivery) return undefined
    const finding = diagnoseDelivery(facts, delivery)
    return facts.order ? finding : ofStock(facts, delivery, finding)
  }
  const event = facts.inbound.find((e) => e.id === focus.id)
  return event && diagnoseEvent(facts, event)
}

// Of no order, so its SKU says what it is about.
function ofStock(facts: OrderFacts, delivery: DeliveryFact, finding: Finding): Finding {
  const binding = facts.bindings.find((b) => b.id === delivery.bindingId)
  if (!binding) return finding
  const sku = codeWord(binding.reference)
  return {
    ...finding,
    sentence: `Stock of ${sku}: ${finding.sentence}`,
    evidence: [...finding.evidence, { table: 'binding', id: binding.id, says: `stock of ${sku}` }],
  }
}

/** Nothing wrong, nothing waiting, nothing delivered: the ignored events say most; else what the ERP says of it. */
function lastResort(facts: OrderFacts): Finding[] {
  if (facts.order) return []
  const [event] = facts.inbound
  const unheld = diagnoseUnheld(facts)
  return event && unheld[0]?.cause === 'not-found-anywhere' ? [diagnoseEvent(facts, event)] : unheld
}

// An order whose channels were all removed, or that nobody is owed: it is known, and nothing is to be done.
function nothing(facts: OrderFacts): Finding {
  return {
    cause: 'not-routed',
    certainty: 'certain',
    sentence: 'The hub holds the order and owes it to no other system.',
    evidence: facts.order ? [{ table: 'silver_order', id: facts.order.id, says: 'no target' }] : [],
    target: null,
    deadLetter: null,
  }
}

function stepOf(facts: OrderFacts, finding: Finding): NextStep {
  return nextStepOf(finding.cause, {
    orderId: isHeld(facts) ? facts.typed : null,
    deadLetter: finding.deadLetter,
    target: finding.target,
    isPlanned: facts.deliveries.some((d) => d.channel === finding.target),
  })
}

function perTarget(facts: OrderFacts, sorted: Finding[]): TargetVerdict[] {
  const worst = new Map<string, Finding>()
  for (const finding of sorted) if (finding.target !== null && !worst.has(finding.target)) worst.set(finding.target, finding)
  return [...worst].map(([target, finding]) => ({
    target,
    cause: finding.cause,
    sentence: finding.sentence,
    nextStep: stepOf(facts, finding),
  }))
}
