import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Step } from '../../core/delivery.ts'
import type { DesiredOrder } from '../../core/desired.ts'
import { decimalText, quantityFrom } from '../../core/money.ts'
import type { Shown, ShownContent, Wanted } from '../../ports/target.ts'
import { noteOf, wasReported } from './chatter.ts'
import { lineWorkIn } from './line-work.ts'
import { isConfirmed } from './sale-order.ts'

/** What the driver keeps of a look-up in `ShownContent.extra`: everything that the next step is decided from. */
export const OrderExtra = z.object({
  state: z.string(),
  name: z.string(),
  writeDate: z.string(),
  /** Digests of the lines as Odoo holds them (SKU, quantity; and the price as written). */
  linesDigest: z.string(),
  pricedDigest: z.string(),
  /** What of lines that differ the hub may write (`LineWork` as JSON); empty when nothing was asked of it. */
  lineWork: z.string(),
  /** SKUs that the marketplace cancelled and whose pieces a picking still holds, joined by commas. */
  stillToDeliver: z.string(),
  locked: z.boolean(),
  /** Somebody else than the hub wrote the order or a line last; may be Odoo itself, under which a person's edit can hide. */
  editedByPerson: z.boolean(),
  /** The same, and not Odoo itself. */
  personWrote: z.boolean(),
  /** A picking to the customer is done. */
  delivered: z.boolean(),
  invoiced: z.boolean(),
  /** Markers of the chatter, joined by spaces. */
  markers: z.string(),
  /** Outgoing pickings that still count, `[{id, tracking}]` as JSON. */
  outgoing: z.string(),
  canTrack: z.boolean(),
  /** Orders found under our reference; more than one only without an external id. */
  copies: z.number(),
  /** The action that Odoo just declined, by a question to a person or a refusal, without the order having changed since. */
  declined: z.enum(['confirm', 'cancel']).nullable(),
})
export type OrderExtra = z.infer<typeof OrderExtra>
const Outgoing = z.array(z.object({ id: z.number(), tracking: z.string() }))

/** The next request that this version needs. Pure: the same answer for the same look-up. */
export function nextStep(wanted: Wanted, shown: Shown): Step {
  const { desired } = wanted
  if (desired.kind === 'stock') return { kind: 'unsupported', operation: 'stock' }
  if (shown.kind === 'absent') return whenAbsent(wanted, desired)
  const extra = OrderExtra.parse(shown.content.extra)
  if (desired.origin === 'odoo') return noteMissing(wanted, desired, extra) ? { kind: 'send', operation: 'note' } : DONE
  if (extra.copies > 1) return refused('duplicated-at-target', `Odoo holds ${extra.copies} orders under the reference ${wanted.reference}`)
  if (desired.lifecycle === 'cancelled') return towardsCancelled(extra)
  if (extra.state === 'cancel')
    return refused('erp-conflict', `${extra.name} was cancelled in Odoo, and the marketplace still holds the order`)
  return isConfirmed(extra.state) ? whenConfirmed(wanted, desired, shown.content, extra) : whenDraft(wanted, desired, shown.content, extra)
}

const DONE: Step = { kind: 'done', reason: 'already-there' }

function whenAbsent(wanted: Wanted, desired: DesiredOrder): Step {
  if (desired.origin === 'odoo' || desired.lifecycle === 'cancelled') return { kind: 'done', reason: 'nothing-to-do' }
  if (wanted.externalId !== null)
    return refused(
      'delivered-then-missing',
      `the Odoo order ${wanted.externalId} is gone: somebody deleted it, or the database was restored`,
    )
  const priced = desired.lines.filter((line) => line.unitPriceMinor !== null).length
  if (desired.lines.length === 0) return refused('erp-write-failing', 'the order has no lines, and Odoo is owed none without')
  if (priced !== 0 && priced !== desired.lines.length) return refused('erp-write-failing', 'some lines carry a price and some do not')
  return { kind: 'send', operation: 'create' }
}

function towardsCancelled(extra: OrderExtra): Step {
  if (extra.state === 'cancel') return DONE
  if (extra.delivered) return refused('erp-conflict', `${extra.name} is delivered already: a person decides on the cancellation`)
  if (extra.invoiced) return refused('erp-conflict', `${extra.name} is invoiced already: a person decides on the cancellation`)
  if (extra.declined === 'cancel') return refused('erp-conflict', `Odoo did not cancel ${extra.name} and asks a person to decide`)
  return { kind: 'send', operation: 'cancel' }
}

function whenDraft(wanted: Wanted, desired: DesiredOrder, content: ShownContent, extra: OrderExtra): Step {
  if (!sameLines(desired, extra)) return lineStep(extra, false)
  const mismatch = totalsProblem(desired, content)
  if (desired.confirm && mismatch) return refused('totals-mismatch', `${extra.name}: ${mismatch}`)
  if (desired.confirm && extra.declined === 'confirm') return refused('erp-write-failing', `Odoo does not confirm ${extra.name}`)
  if (desired.confirm) return { kind: 'send', operation: 'confirm' }
  return noteMissing(wanted, desired, extra) ? { kind: 'send', operation: 'note' } : DONE
}

function whenConfirmed(wanted: Wanted, desired: DesiredOrder, content: ShownContent, extra: OrderExtra): Step {
  if (noteMissing(wanted, desired, extra)) return { kind: 'send', operation: 'note' }
  const tracking = trackingWork(desired, extra)
  if (tracking.write.length > 0) return { kind: 'send', operation: 'track' }
  if (tracking.foreign) return refused('erp-conflict', `a person wrote another tracking number on the delivery of ${extra.name}`)
  if (!sameLines(desired, extra)) return lineStep(extra, true)
  if (extra.stillToDeliver !== '')
    return refused(
      'erp-conflict',
      `${extra.stillToDeliver} was cancelled at the marketplace and stands at 0 in ${extra.name}, but its delivery still holds the pieces: take them out there`,
    )
  const mismatch = extra.personWrote ? undefined : totalsProblem(desired, content)
  return mismatch ? refused('totals-mismatch', `${extra.name} is confirmed: ${mismatch}`) : DONE
}

/**
 * Lines that differ. A line more (a late order of the pack) is appended, one less (a cancelled one) goes to quantity 0; both only while
 * nobody but the hub changed the order. What a person changed after the confirmation stays; other changes of the marketplace are not written.
 */
function lineStep(extra: OrderExtra, confirmed: boolean): Step {
  const { missing, surplus, other } = lineWorkIn(extra.lineWork)
  const when = confirmed ? '' : ' before it was confirmed'
  if (missing.length === 0 && surplus.length === 0) {
    if (!extra.editedByPerson) return { kind: 'unsupported', operation: 'update' }
    return confirmed ? DONE : refused('erp-conflict', `a person changed the lines of ${extra.name}${when}`)
  }
  if (extra.personWrote || (other && extra.editedByPerson))
    return refused('erp-conflict', `a person changed ${extra.name}${when}, and the marketplace changed its lines: decide on both`)
  if (other) return { kind: 'unsupported', operation: 'update' }
  if (extra.locked) return refused('erp-conflict', `${extra.name} is locked, and the marketplace changed its lines`)
  const used = surplus.find((line) => line.used)
  if (used)
    return refused('erp-conflict', `${used.sku} was cancelled at the marketplace, and ${extra.name} delivered or invoiced it already`)
  return { kind: 'send', operation: 'update' }
}

/** Outgoing pickings to write the tracking number on, and whether one holds a number that the hub never wrote. */
export function trackingWork(desired: DesiredOrder, extra: OrderExtra): { write: number[]; foreign: boolean } {
  const { tracking } = desired
  if (tracking === null || !extra.canTrack) return { write: [], foreign: false }
  const markers = extra.markers.split(' ')
  const others = Outgoing.parse(JSON.parse(extra.outgoing)).filter((picking) => picking.tracking !== tracking)
  const ours = others.filter((picking) => picking.tracking === '' || wasReported(markers, picking.tracking))
  return { write: ours.map((picking) => picking.id), foreign: ours.length < others.length }
}

interface DigestedLine {
  sku: string
  quantity: string
  /** Canonical decimal text of the currency's major unit. */
  price: string | null
}

/** Digest of lines whatever their order; with prices where they have them. */
export function digestOf(lines: readonly DigestedLine[], withPrices: boolean): string {
  const texts = lines.map(({ sku, quantity, price }) => JSON.stringify(withPrices ? [sku, quantity, price] : [sku, quantity])).sort()
  return createHash('sha256').update(texts.join('\n')).digest('hex').slice(0, 32)
}

/** Whether Odoo holds these lines. An order whose prices come from Odoo's own pricelist is compared without them. */
export function sameLines({ lines, currency }: DesiredOrder, extra: Pick<OrderExtra, 'linesDigest' | 'pricedDigest'>): boolean {
  const priced = lines.every((line) => line.unitPriceMinor !== null)
  const said = lines.map(({ sku, quantity, unitPriceMinor }) => ({
    sku,
    quantity,
    price: unitPriceMinor === null ? null : (quantityFrom(decimalText(unitPriceMinor, currency ?? '')) ?? ''),
  }))
  return digestOf(said, priced) === (priced ? extra.pricedDigest : extra.linesDigest)
}

function totalsProblem(desired: DesiredOrder, { totalMinor, currency }: ShownContent): string | undefined {
  if (desired.currency !== null && desired.currency !== currency) return `Odoo uses ${currency}, the marketplace ${desired.currency}`
  if (desired.totalMinor === null || desired.totalMinor === totalMinor) return undefined
  return `Odoo adds up to ${totalMinor}, the marketplace to ${desired.totalMinor} (minor units)`
}

function noteMissing(wanted: Wanted, desired: DesiredOrder, extra: OrderExtra): boolean {
  const note = noteOf(wanted, desired)
  return note !== null && !extra.markers.split(' ').includes(note.marker)
}

function refused(cause: Extract<Step, { kind: 'refused' }>['cause'], summary: string): Step {
  return { kind: 'refused', cause, summary }
}
