import { createHash } from 'node:crypto'
import type { DesiredOrder } from '../../core/desired.ts'
import type { Wanted } from '../../ports/target.ts'

/** What a chatter message says and how it is recognised later: posted only when its marker is not there yet. */
export interface Note {
  marker: string
  html: string
}

/** The note that a version owes the chatter; null when the marketplace said nothing of the fulfilment. */
export function noteOf(
  wanted: Pick<Wanted, 'reference'>,
  { fulfilment, tracking }: Pick<DesiredOrder, 'fulfilment' | 'tracking'>,
): Note | null {
  if (fulfilment === null || fulfilment === 'none') return null
  const marker = `[rosh:${wanted.reference.replace(/[^A-Za-z0-9._-]/g, '_')}:${fulfilment}:${trackingDigest(tracking)}]`
  const parts = [`Marketplace: ${fulfilment.replaceAll('_', ' ')}.`, ...(tracking ? [`Tracking: ${tracking}.`] : []), marker]
  return { marker, html: `<p>${escapeHtml(parts.join(' '))}</p>` }
}

/** Short digest of a tracking number, `-` when there is none. */
function trackingDigest(tracking: string | null): string {
  return tracking ? createHash('sha256').update(tracking).digest('hex').slice(0, 8) : '-'
}

const MARKER = /\[rosh:[A-Za-z0-9._-]+:[a-z_]+:(?:[0-9a-f]{8}|-)\]/g

/** Markers in the bodies of an order's messages. */
export function markersIn(bodies: readonly string[]): string[] {
  return [...new Set(bodies.flatMap((body) => body.match(MARKER) ?? []))].sort()
}

/** Whether the hub itself once reported this tracking number, by any of the markers. */
export function wasReported(markers: readonly string[], tracking: string): boolean {
  return markers.some((marker) => marker.endsWith(`:${trackingDigest(tracking)}]`))
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
