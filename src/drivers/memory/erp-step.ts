import type { Step } from '../../core/delivery.ts'
import type { DesiredOrder } from '../../core/desired.ts'
import type { Shown, ShownContent, Wanted } from '../../ports/target.ts'

/** The next request to the ERP in memory, from what it shows. */
export function nextErpStep(wanted: Wanted, shown: Shown): Step {
  if (wanted.desired.kind === 'stock') return { kind: 'unsupported', operation: 'stock' }
  const { desired } = wanted
  if (desired.origin === 'odoo')
    return shown.kind === 'absent' ? { kind: 'done', reason: 'nothing-to-do' } : (noteStep(desired, shown.content) ?? DONE)
  if (shown.kind === 'absent') {
    if (desired.lifecycle === 'cancelled') return { kind: 'done', reason: 'nothing-to-do' }
    if (wanted.externalId === null) return { kind: 'send', operation: 'create' }
    return { kind: 'refused', cause: 'delivered-then-missing', summary: `order ${wanted.externalId} is not there any more` }
  }
  return desired.lifecycle === 'cancelled' ? cancelStep(shown.content) : openStep(desired, shown.content)
}

const DONE: Step = { kind: 'done', reason: 'already-there' }

function cancelStep({ lifecycle, extra }: ShownContent): Step {
  if (lifecycle === 'cancelled') return DONE
  if (extra.delivered)
    return { kind: 'refused', cause: 'erp-conflict', summary: 'the order is delivered: a person decides on its cancellation' }
  return { kind: 'send', operation: 'cancel' }
}

function openStep(desired: DesiredOrder, content: ShownContent): Step {
  const { extra } = content
  if (content.lifecycle === 'cancelled') return { kind: 'refused', cause: 'erp-conflict', summary: 'a person cancelled the order' }
  const lines = lineStep(desired, content)
  if (lines) return lines
  const isOurs = extra.state === 'draft' || !extra.edited
  if (isOurs) {
    const expected = `${desired.totalMinor} ${desired.currency}`
    if (desired.totalMinor !== null && expected !== `${content.totalMinor} ${content.currency}`) {
      const summary = `it adds up to ${content.totalMinor} ${content.currency}, not ${expected}`
      return { kind: 'refused', cause: 'totals-mismatch', summary }
    }
    if (desired.confirm && extra.state === 'draft') return { kind: 'send', operation: 'confirm' }
  }
  return noteStep(desired, content) ?? trackStep(desired, content) ?? DONE
}

/** Lines as the ERP holds them, with the hub's ids; what the driver keeps of a look-up for the next step. */
export type HeldLine = { lineId: string | null; sku: string; quantity: string; unitPriceMinor: number }

/** A line more is appended and one less goes to quantity 0, while no person changed the order; nothing else is written. */
function lineStep(desired: DesiredOrder, { extra }: ShownContent): Step | undefined {
  const held = JSON.parse(String(extra.held)) as HeldLine[]
  const { missing, surplus } = lineChanges(desired, held)
  const others = held.filter((line) => line.quantity !== '0' && !surplus.includes(line) && !isWanted(desired, line))
  if (missing.length === 0 && surplus.length === 0 && others.length === 0) return undefined
  if (extra.edited && (extra.state === 'draft' || missing.length > 0 || surplus.length > 0))
    return { kind: 'refused', cause: 'erp-conflict', summary: 'a person changed the lines' }
  if (others.length > 0) return extra.edited ? undefined : { kind: 'unsupported', operation: 'update' }
  if (surplus.length > 0 && extra.delivered) return { kind: 'refused', cause: 'erp-conflict', summary: 'a cancelled line is delivered' }
  return { kind: 'send', operation: 'update' }
}

export function lineChanges(desired: DesiredOrder, held: readonly HeldLine[]): { missing: DesiredOrder['lines']; surplus: HeldLine[] } {
  return {
    missing: desired.lines.filter((line) => !held.some((one) => one.lineId === line.lineId)),
    surplus: held.filter((one) => one.lineId !== null && one.quantity !== '0' && !desired.lines.some((line) => line.lineId === one.lineId)),
  }
}

function isWanted(desired: DesiredOrder, { lineId, sku, quantity, unitPriceMinor }: HeldLine): boolean {
  const line = desired.lines.find((one) => one.lineId === lineId)
  return line?.sku === sku && line.quantity === quantity && (line.unitPriceMinor === null || line.unitPriceMinor === unitPriceMinor)
}

function noteStep(desired: DesiredOrder, { extra }: ShownContent): Step | undefined {
  if (desired.fulfilment === null || extra.told === noteOf(desired)) return undefined
  return { kind: 'send', operation: 'note' }
}

function trackStep({ tracking }: DesiredOrder, { extra }: ShownContent): Step | undefined {
  if (tracking === null || extra.tracking === null || extra.tracking === tracking) return undefined
  if (extra.tracking !== '' && extra.tracking !== extra.tracked)
    return { kind: 'refused', cause: 'erp-conflict', summary: 'a person wrote another tracking number' }
  return { kind: 'send', operation: 'track' }
}

/** What a note tells; equal texts are one note. */
export function noteOf({ fulfilment, tracking }: DesiredOrder): string {
  return `${fulfilment ?? ''}/${tracking ?? ''}`
}

/** The note as it stands in the chatter: markup, with what the marketplace wrote escaped, and the marker that tells it apart. */
export function noteText(reference: string, desired: DesiredOrder): string {
  return `<p>${escaped(noteOf(desired))} [rosh:${escaped(reference)}:${escaped(desired.fulfilment ?? '')}]</p>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
