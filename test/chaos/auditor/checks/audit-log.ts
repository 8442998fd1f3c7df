import { createHash } from 'node:crypto'
import { z } from 'zod'
import { type Breach, breach } from '../breach.ts'
import type { HubTables } from '../hub-tables.ts'
import type { World } from '../world.ts'

type AuditRow = HubTables['audit'][number]

/** I7: the chain verifies, every intent has its outcome after it, and every mutation that the tables show was intended before. */
export function auditHolds(world: World): Breach[] {
  return [...chainBreaches(world), ...pairBreaches(world), ...mutationBreaches(world)]
}

const ofRow = (row: AuditRow, field: string, message: string): Breach =>
  breach('I7', `audit ${row.seq}`, message, { field, at: Date.parse(row.at) })

/** The chain by its definition: SHA-256 over the previous hash, number, time, actor and body. */
function chainBreaches({ hub: { audit, auditHead } }: World): Breach[] {
  const found: Breach[] = []
  let seq = 0
  let prev = createHash('sha256').update('').digest('hex')
  for (const row of audit) {
    seq += 1
    const of = (field: string, message: string): void => void found.push(ofRow(row, field, message))
    if (row.seq !== seq) of('audit.seq', `follows number ${seq - 1}: rows are missing`)
    if (row.prev !== prev) of('audit.prev', 'does not name the hash of the row before it')
    const text = `${row.seq}\n${row.at}\n${row.actor}\n${row.body}`
    const hash = createHash('sha256').update(Buffer.from(row.prev, 'hex')).update(text, 'utf8').digest('hex')
    if (row.hash !== hash) of('audit.hash', 'its hash is not that of its content')
    seq = row.seq
    prev = row.hash
  }
  const head = auditHead[0]
  if (head && (head.seq !== seq || head.hash !== prev))
    found.push(breach('I7', `audit_head ${head.seq}`, `names number ${head.seq}, and the newest row is ${seq}`, { field: 'audit_head' }))
  return found
}

const Body = z.looseObject({
  tool: z.string().optional(),
  target: z.object({ kind: z.string(), id: z.string() }).optional(),
  result: z.string().optional(),
  effect: z.looseObject({ replayed: z.array(z.string()).optional(), changed: z.array(z.string()).optional() }).optional(),
})
type Body = z.infer<typeof Body>

interface Operation {
  intent: AuditRow
  said: Body
  outcome: Body | null
}

function bodyOf(row: AuditRow): Body {
  try {
    return Body.parse(JSON.parse(row.body))
  } catch {
    return {}
  }
}

/** An act may last ten minutes; the hub looks every minute. */
const CLOSED_WITHIN_MS = 12 * 60_000

function pairBreaches({ hub: { audit }, hubQuietSince, run }: World): Breach[] {
  const intents = new Map(audit.filter((row) => row.phase === 'intent').map((row) => [row.operation_id, row]))
  const outcomes = Map.groupBy(
    audit.filter((row) => row.phase === 'outcome'),
    (row) => row.operation_id,
  )
  const orphans = [...outcomes].flatMap(([operation, rows]) => {
    const [first, second] = rows
    const intent = intents.get(operation)
    if (first && (!intent || intent.seq > first.seq))
      return [ofRow(first, 'audit.phase', `an outcome of ${operation} without an intent before it`)]
    return second ? [ofRow(second, 'audit.phase', `a second outcome of ${operation}`)] : []
  })
  // A killed process leaves its intent to the hub, which closes it when the act must have ended.
  const since = run.scenarios.includes('K16') ? hubQuietSince - CLOSED_WITHIN_MS : hubQuietSince
  const open = [...intents.values()].filter((row) => !outcomes.has(row.operation_id) && Date.parse(row.at) < since)
  return [...orphans, ...open.map((row) => ofRow(row, 'audit.phase', `the intent ${row.operation_id} has no outcome`))]
}

/** Rows that only a person or an agent changes: replayed and archived dead letters. */
function mutationBreaches(world: World): Breach[] {
  const operations = operationsOf(world.hub.audit)
  const deliveries = world.hub.delivery.map((row) => ({ ...row, table: 'delivery', outboxId: `outbox-${row.id}`, madeAt: row.created_ms }))
  const events = world.hub.event.map((row) => ({ ...row, table: 'inbound_event', outboxId: `inbound-${row.id}`, madeAt: row.received_ms }))
  return [...deliveries, ...events].flatMap((row) => {
    const mutations = row.replays + (row.archived ? 1 : 0)
    if (mutations === 0) return []
    const covering = operations.filter((operation) => covers(operation, row))
    const replays = world.hub.replay.filter((one) => row.table === 'delivery' && one.delivery_id === row.id)
    const about = { field: `${row.table}.replays`, orderId: row.order_id, at: replays.at(-1)?.at_ms ?? row.madeAt }
    const name = row.order_id === null ? `${row.table} ${row.id}` : world.nameOf(row.order_id)
    if (covering.length < mutations) {
      const said = `${row.outboxId} was put back or set aside ${mutations} times, and the audit log intends ${covering.length}`
      return [breach('I7', name, said, about)]
    }
    const first = Math.min(...covering.map(({ intent }) => Date.parse(intent.at)))
    const early = replays.find((one) => one.at_ms < first - 1)
    return early ? [breach('I7', name, `${row.outboxId} was put back before any intent`, { ...about, at: early.at_ms })] : []
  })
}

function operationsOf(audit: readonly AuditRow[]): Operation[] {
  const outcomes = new Map(audit.filter((row) => row.phase === 'outcome').map((row) => [row.operation_id, bodyOf(row)]))
  return audit
    .filter((row) => row.phase === 'intent')
    .map((intent) => ({ intent, said: bodyOf(intent), outcome: outcomes.get(intent.operation_id) ?? null }))
}

interface Mutated {
  id: string
  table: string
  outboxId: string
  order_id: string | null
}

function covers({ said, outcome }: Operation, { id, table, outboxId, order_id }: Mutated): boolean {
  const isTarget = said.target?.kind === table && said.target.id === id
  if (outcome === null || outcome.result === 'unknown')
    return isTarget || (said.target?.kind === 'order' && said.target.id === order_id) || said.target?.kind === 'dead_letters'
  if (outcome.result !== 'ok') return false
  return isTarget || [...(outcome.effect?.replayed ?? []), ...(outcome.effect?.changed ?? [])].includes(outboxId)
}
