import type { Desired, DesiredOrder } from '../core/desired.ts'
import type { Operation, Step } from '../core/delivery.ts'
import type { AttemptLog } from './attempt-log.ts'
import type { Fetched } from './marketplace.ts'

/** What a delivery brings to its target. */
export interface Wanted {
  channel: string
  /** Our reference at the target; carries the generation. */
  reference: string
  generation: number
  version: number
  /** The target's id, once an answer or a look-up told it. */
  externalId: string | null
  desired: Desired
  /**
   * When the first send of this binding may have left, one of which a restored database knows nothing included; look-ups page back to here. ISO instant,
   * null when nothing was ever sent.
   */
  firstSentAt: string | null
  /** Buyer's fields, decrypted for this send only. Null when there are none or they were erased. */
  personal: Personal | null
}

/** Personal fields of an order; they stand only in encrypted columns. */
export interface Personal {
  buyerName?: string
  buyerNickname?: string
  email?: string
  phone?: string
  address?: string
  taxId?: string
}

/** What a target shows for a binding. `content` is the driver's own reading of it, kept on the binding as last observed. */
export type Shown =
  | { kind: 'absent' }
  | {
      kind: 'found'
      externalId: string
      content: ShownContent
      /** Every live order under our reference, this one included, when a look-up by reference met more than one. */
      copies?: readonly string[]
    }

export interface ShownContent {
  lifecycle: DesiredOrder['lifecycle'] | null
  fulfilment: DesiredOrder['fulfilment']
  currency: string | null
  totalMinor: number | null
  lines: { sku: string; quantity: string; unitPriceMinor: number | null }[]
  /** What else the driver needs to decide the next step (Odoo: state, note markers, tracking). Plain JSON, no personal data. */
  extra: Record<string, string | number | boolean | null>
}

export interface Sent {
  /** The target's id as its answer told it. */
  externalId: string | null
  /** What the answer shows of the order now; null when it shows nothing and a look-up must tell. */
  shown: Shown | null
  /** The same as a fetch of `resource` would read it. Only of a marketplace that posts no webhook about what we do there ourselves. */
  told?: Told
}

export interface Told {
  resource: string
  fetched: Fetched
}

/** Whether the time for a send is over, by a stopwatch that began before its intent. */
export type IsLate = () => boolean

/** Where deliveries go: a marketplace account or Odoo. */
export interface Target {
  /**
   * Looks the binding up, by id when known, else by our reference. Answers `absent` only when the target clearly says so.
   * Every request runs through `log.read`. Throws an IntegrationError when there is no clear answer.
   */
  lookUp(wanted: Wanted, log: AttemptLog, signal: AbortSignal): Promise<Shown>
  /** Whether a first send must look first even though nothing was ever sent (Odoo: a person may have created it). */
  readonly looksFirst: boolean
  /** Pure: the next request this version needs, given what is shown there. */
  next(wanted: Wanted, shown: Shown): Step
  /**
   * Sends exactly one request, carrying `requestId`. Throws an IntegrationError; its code says whether it may have taken effect. Asked right
   * before the first byte, `isLate` may still forbid it: then nothing leaves, and the code is `unreachable`.
   */
  send(wanted: Wanted, operation: Operation, shown: Shown, requestId: string, signal: AbortSignal, isLate?: IsLate): Promise<Sent>
}
