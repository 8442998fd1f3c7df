import type { IdentifierKind } from './order.ts'

/** One value to look up. `kinds` null: whatever kind it is stored as. Rank 1 is what was typed, rank 2 what it may stand for. */
export interface LookUp {
  value: string
  rank: 1 | 2
  kinds: readonly IdentifierKind[] | null
}

/** What a person typed, made into values to look up. */
export interface TypedIdentifier {
  /** Trimmed, upper case, without control characters, at most 200 characters. Empty when nothing was typed. */
  text: string
  lookUps: LookUp[]
  /** Set for `outbox-17`: the id of a delivery. */
  deliveryId: string | null
  /** Set for `inbound-9`: the id of an inbound event. */
  inboundId: string | null
  /** Set for `hub-5`: the hub's own number of a silver order, which names one order whatever else is ambiguous. */
  orderRowId: string | null
  /** Set for a UUID: the hub's id of an inbound event. */
  eventId: string | null
  /** Near misses: one character dropped, or two neighbours swapped. */
  variants: string[]
}

const LONGEST = 200
const MARKETPLACE_KINDS: readonly IdentifierKind[] = ['marketplace-order', 'pack', 'shipment', 'bare']
const PREFIXES = ['ML', 'MELI', 'MERCADOLIBRE', 'PARIS']
const UUID = /^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/
// More digits than a bigint surely holds are no id of ours.
const ROW_ID = /^(OUTBOX|INBOUND|HUB)-(\d{1,18})$/

/** Total over every value: never throws, and whatever cannot be an identifier gives an empty text and nothing to look up. */
export function readIdentifier(typed: unknown): TypedIdentifier {
  const text = normalise(typed)
  const row = ROW_ID.exec(text)
  return {
    text,
    lookUps: text === '' ? [] : lookUpsOf(text),
    deliveryId: row?.[1] === 'OUTBOX' ? trimZeros(row[2]) : null,
    inboundId: row?.[1] === 'INBOUND' ? trimZeros(row[2]) : null,
    orderRowId: row?.[1] === 'HUB' ? trimZeros(row[2]) : null,
    eventId: UUID.test(text) ? text.toLowerCase() : null,
    variants: row || UUID.test(text) ? [] : variantsOf(text),
  }
}

/** How a dead letter is named to people and tools. */
export function outboxIdOf(table: 'delivery' | 'inbound_event', id: string): string {
  return table === 'delivery' ? `outbox-${id}` : `inbound-${id}`
}

function normalise(typed: unknown): string {
  if (typeof typed !== 'string' && typeof typed !== 'number' && typeof typed !== 'bigint') return ''
  const text = String(typed)
    .slice(0, 4 * LONGEST)
    .toWellFormed()
  // Control and format characters (zero-width, direction marks) come along when people paste.
  return text
    .replace(/[\p{Cc}\p{Cf}]/gu, '')
    .trim()
    .replace(/^#/, '')
    .toUpperCase()
    .slice(0, LONGEST)
    .trim()
}

function lookUpsOf(text: string): LookUp[] {
  const found: LookUp[] = [{ value: text, rank: 1, kinds: null }]
  if (/^\d+$/.test(text)) {
    // A bare number says nothing of where it comes from: what people call ML-12345 is meant as often as an id.
    for (const prefix of ['ML', 'PARIS', 'ODOO'])
      found.push({ value: `${prefix}-${text}`, rank: 1, kinds: ['reference', 'client-order-ref', 'marketplace-order'] })
    return found
  }
  const parts = /^([A-Z]+)[-_ #:]?(\d[\dA-Z-]*)$/.exec(text)
  const [, prefix = '', rest = ''] = parts ?? []
  if (PREFIXES.includes(prefix)) {
    found.push({ value: rest, rank: 2, kinds: MARKETPLACE_KINDS })
    if (!text.startsWith(`${prefix}-`)) found.push({ value: `${prefix}-${rest}`, rank: 2, kinds: null })
  }
  const odoo = /^ODOO[-_ #:]?(\d+)(-G\d+)?$/.exec(text)
  if (odoo?.[1]) found.push({ value: odoo[1], rank: 2, kinds: ['erp-id'] }, { value: `ODOO-${odoo[1]}`, rank: 2, kinds: ['reference'] })
  const name = /^S[-_ ]?0*(\d{1,7})$/.exec(text)
  if (name?.[1]) found.push({ value: `S${name[1].padStart(5, '0')}`, rank: 2, kinds: ['erp-name'] })
  return found.filter((l, i) => l.value !== '' && found.findIndex((o) => o.value === l.value) === i)
}

const MOST_VARIANTS = 48

function variantsOf(text: string): string[] {
  if (text.length < 4) return []
  const from = Math.max(0, text.length - MOST_VARIANTS / 2)
  const variants = new Set<string>()
  for (let i = from; i < text.length; i++) {
    variants.add(text.slice(0, i) + text.slice(i + 1))
    const next = text[i + 1]
    if (next !== undefined) variants.add(text.slice(0, i) + next + (text[i] ?? '') + text.slice(i + 2))
  }
  variants.delete(text)
  return [...variants].slice(0, MOST_VARIANTS)
}

function trimZeros(digits: string | undefined): string {
  return (digits ?? '').replace(/^0+(?=\d)/, '')
}
