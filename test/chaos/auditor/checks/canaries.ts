import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { z } from 'zod'
import { type Breach, breach } from '../breach.ts'
import type { LedgerLine } from '../ledger-file.ts'
import type { World } from '../world.ts'

/** `--canaries FILE`: unique strings that a run planted. Beside them, the buyers and secrets that the ledgers themselves show are looked for. */
const Canaries = z.object({ personal: z.array(z.string().min(6)).default([]), secrets: z.array(z.string().min(6)).default([]) })
export type Canaries = z.infer<typeof Canaries>

export function readCanaries(path: string | null): Canaries {
  return Canaries.parse(path === null ? {} : JSON.parse(readFileSync(path, 'utf8')))
}

/** Where something must not stand: the name of the place, and its text. */
interface Place {
  row: string
  orderId: string | null
  text: string
}

/** I13 and I14: neither a buyer nor a secret stands in a log, an audit row, a summary, a plain column, or a tool's output without the scope. */
export function nothingLeaks(world: World): Breach[] {
  const { canaries, lines } = world
  const places = [...filesOf(world.files), ...rowsOf(world)]
  return [
    ...leaks('I13', [...canaries.personal, ...buyersIn(lines)], places, world),
    ...leaks('I14', [...canaries.secrets, ...secretsIn(lines)], places, world),
  ]
}

/** An access or refresh token, as MercadoLibre and its simulator write them. */
const TOKEN = String.raw`\b(?:APP_USR-\d+|TG-[\da-f]{20})[\w-]*-\d+`

function leaks(kind: 'I13' | 'I14', wanted: readonly string[], places: readonly Place[], world: World): Breach[] {
  const strings = [...new Set(wanted)]
  const patterns = [...strings.map((one) => one.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)), ...(kind === 'I14' ? [TOKEN] : [])]
  if (patterns.length === 0) return []
  // One pass over each text, however many strings: buyers are hundreds.
  const pattern = new RegExp(patterns.join('|'), 'i')
  return places.flatMap(({ row, orderId, text }) => {
    const found = pattern.exec(text)
    if (!found) return []
    const what = kind === 'I13' ? 'a personal canary' : 'a secret'
    const name = orderId === null ? row : world.nameOf(orderId)
    return [breach(kind, name, `${what} (${hint(found[0])}) stands in ${row}`, { field: row, orderId })]
  })
}

// Enough to find it, not enough to leak it once more.
const hint = (text: string): string => `${text.slice(0, 3)}…, ${text.length} characters`

function filesOf(files: readonly string[]): Place[] {
  return files.flatMap((path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .flatMap((text, at) => (text === '' ? [] : [{ row: `${basename(path)} line ${at + 1}`, orderId: null, text }])),
  )
}

function rowsOf({ hub }: World): Place[] {
  const orderOf = new Map(hub.delivery.map((row) => [row.id, row.order_id]))
  return [
    ...hub.audit.map((row) => ({ row: `audit ${row.seq}`, orderId: null, text: `${row.actor} ${row.body}` })),
    ...hub.attempt.map((row) => ({
      row: `attempt ${row.id}`,
      orderId: orderOf.get(row.delivery_id ?? '') ?? null,
      text: row.summary ?? '',
    })),
    ...hub.plain.map(({ place, order_id, text }) => ({ row: place, orderId: order_id, text })),
  ]
}

const ParisBuyer = z.object({ buyer: z.string() })
const MeliBuyer = z.object({ buyer: z.object({ nickname: z.string() }) })

/** Buyers as the marketplaces' own ledgers name them. A single word may stand anywhere, so only what is a full name or a nickname counts. */
function buyersIn({ meli, paris }: World['lines']): string[] {
  const orders = (lines: readonly LedgerLine[]) => lines.flatMap((line) => (line.kind === 'order' ? [line.order] : []))
  const names = [
    ...orders(paris).flatMap((order) => ParisBuyer.safeParse(order).data?.buyer ?? []),
    ...orders(meli).flatMap((order) => MeliBuyer.safeParse(order).data?.buyer.nickname ?? []),
  ]
  return names.map((name) => name.trim()).filter((name) => name.length >= 8 && /[\s._]/.test(name) && !GENERIC.test(name))
}

/** What the hub itself calls a buyer that it does not name. */
const GENERIC = /^cliente\b/i

/** The secret segment of webhook paths. */
function secretsIn(lines: World['lines']): string[] {
  return Object.values(lines).flatMap((its) =>
    its.flatMap((line: LedgerLine) =>
      line.kind === 'webhook' ? (/\/webhooks\/(?:mercadolibre|odoo)\/([\w-]{12,})/.exec(line.url)?.[1] ?? []) : [],
    ),
  )
}
