import { readFileSync } from 'node:fs'
import { z } from 'zod'

const Base = { seq: z.number().int(), at: z.string() }
const Entry = z.discriminatedUnion('kind', [
  z.object({
    ...Base,
    kind: z.literal('request'),
    requestId: z.string().nullable(),
    method: z.string(),
    path: z.string(),
    decision: z.string(),
    status: z.number().nullable(),
    detail: z.unknown().optional(),
  }),
  z.object({
    ...Base,
    kind: z.literal('order'),
    act: z.string(),
    id: z.string(),
    reference: z.string().nullable(),
    requestId: z.string().nullable(),
    by: z.enum(['client', 'admin']),
    order: z.unknown(),
    rows: z.unknown().optional(),
  }),
  z.object({ ...Base, kind: z.literal('webhook'), url: z.string(), bodySha256: z.string(), status: z.number().nullable() }),
  z.object({ ...Base, kind: z.literal('stock') }),
  z.object({ ...Base, kind: z.literal('account'), id: z.string(), state: z.unknown() }),
  z.object({ ...Base, kind: z.literal('state'), id: z.string(), state: z.unknown() }),
])
export type LedgerLine = z.infer<typeof Entry>
export type OrderLine = Extract<LedgerLine, { kind: 'order' }>

/** Every line of a simulator's ledger, oldest first. A torn last line (still being written) is left out. */
export function readLedger(path: string): LedgerLine[] {
  return readLedgerText(readFileSync(path, 'utf8'), path)
}

/** The same of text that was read already. */
export function readLedgerText(content: string, path: string): LedgerLine[] {
  const lines = content.split('\n')
  const last = lines.length - 1
  return lines.flatMap((text, at) => {
    if (text === '') return []
    const entry = Entry.safeParse(jsonOf(text))
    if (entry.success) return [entry.data]
    if (at === last) return []
    throw new Error(`${path}: line ${at + 1} is no ledger line (${entry.error.issues[0]?.path.join('.') ?? ''})`)
  })
}

/** The order lines by order id, each list oldest first. */
export function ordersById(lines: readonly LedgerLine[]): Map<string, OrderLine[]> {
  const orders = new Map<string, OrderLine[]>()
  for (const line of lines) {
    if (line.kind !== 'order') continue
    const history = orders.get(line.id)
    if (history) history.push(line)
    else orders.set(line.id, [line])
  }
  return orders
}

/** The newest value kept under each `state` id that starts with `prefix`. */
export function statesOf(lines: readonly LedgerLine[], prefix: string): Map<string, { value: unknown; at: number; seq: number }> {
  const states = new Map<string, { value: unknown; at: number; seq: number }>()
  for (const line of lines)
    if (line.kind === 'state' && line.id.startsWith(prefix))
      states.set(line.id.slice(prefix.length), { value: line.state, at: Date.parse(line.at), seq: line.seq })
  return states
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
