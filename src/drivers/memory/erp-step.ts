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
  if (extra.state === 'draft') {
    if (extra.edited) return { kind: 'refused', cause: 'erp-conflict', summary: 'a person changed the lines' }
    if (!sameLines(desired, content)) return { kind: 'unsupported', operation: 'update' }
    const expected = `${desired.totalMinor} ${desired.currency}`
    if (desired.totalMinor !== null && expected !== `${content.totalMinor} ${content.currency}`) {
      const summary = `it adds up to ${content.totalMinor} ${content.currency}, not ${expected}`
      return { kind: 'refused', cause: 'totals-mismatch', summary }
    }
    if (desired.confirm) return { kind: 'send', operation: 'confirm' }
  }
  return noteStep(desired, content) ?? trackStep(desired, content) ?? DONE
}

function sameLines(desired: DesiredOrder, { lines }: ShownContent): boolean {
  return (
    desired.lines.length === lines.length &&
    desired.lines.every(({ sku, quantity, unitPriceMinor }, i) => {
      const there = lines[i]
      return there?.sku === sku && there.quantity === quantity && (unitPriceMinor === null || there.unitPriceMinor === unitPriceMinor)
    })
  )
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
