import { z } from 'zod'
import type { Reread } from '../../flows/reread-quarantined.ts'
import type { Audit, Principal, Scope } from '../../ports/audit.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ChannelNames } from '../../ports/channel-names.ts'
import type { DeadLetters } from '../../ports/dead-letters.ts'
import type { Erp } from '../../ports/erp.ts'
import type { FailedOrders } from '../../ports/failed-orders.ts'
import type { Inbox } from '../../ports/inbox.ts'
import type { OrderStore, QuarantineOf } from '../../ports/order-store.ts'
import type { OrderTrace } from '../../ports/order-trace.ts'
import type { PlanSeal } from '../../ports/plan-seal.ts'
import type { SyncMetrics } from '../../ports/sync-metrics.ts'
import type { Personal } from '../../ports/target.ts'

/** What the tools reach the hub through; made once a process, not once a connection. */
export interface ToolPorts {
  trace: OrderTrace
  /** Asked about orders that nobody here knows; null where there is none. */
  erp: Pick<Erp, 'find'> | null
  deadLetters: DeadLetters
  failed: FailedOrders
  metrics: SyncMetrics
  channels: ChannelNames
  orders: Pick<OrderStore, 'replan'>
  /** Reads what is in quarantine of an order again, at once. */
  reread(of: QuarantineOf): Promise<Reread>
  /** Where a repair has an order fetched again. */
  inbox: Pick<Inbox, 'record'>
  /** Personal fields of an order, for the scope `orders.pii` alone; null where they cannot be opened. */
  personal: ((orderId: string) => Promise<Personal | null>) | null
  /** Null: no key to seal plans with is configured, and then nothing is drained. */
  seal: PlanSeal | null
  audit: Audit
  clock: Clock
}

export interface Call {
  principal: Principal
  ports: ToolPorts
}

export interface Suggestion {
  toolName: string
  arguments: Record<string, string | number | boolean>
  reason: string
}

/** What the log is told of a call that the dispatcher records. */
interface Logged {
  /** The flow wrote its own rows. */
  audited: boolean
  /** The identifier that was typed is one that the hub holds. */
  held?: boolean
  /** Where the answer needed another scope than the tool's own. */
  scopeUsed?: Scope
}

export type Answer = Logged &
  (
    | { kind: 'answer'; data: Record<string, unknown>; suggestions: Suggestion[]; result?: 'ok' | 'unknown' }
    | { kind: 'error'; code: string; sentence: string; suggestions?: Suggestion[]; denied?: boolean }
  )

export interface Tool {
  name: string
  title: string
  description: string
  scope: Scope
  /** `write` changes something and puts it back on a retry path; `bulk` acts on many. */
  effect: 'read' | 'write' | 'bulk'
  input: z.ZodObject
  output: z.ZodObject
  inputJson: Record<string, unknown>
  outputJson: Record<string, unknown>
  run(args: Record<string, unknown>, call: Call): Promise<Answer>
}

interface ToolSpec<In extends z.ZodObject> {
  name: string
  title: string
  description: string
  scope: Scope
  effect: Tool['effect']
  input: In
  output: z.ZodObject
  run(args: z.output<In>, call: Call): Promise<Answer>
}

/** Makes a tool once, at module scope: its JSON schemas are built here and never per call. */
export function defineTool<In extends z.ZodObject>(spec: ToolSpec<In>): Tool {
  const output = spec.output.extend({ suggestedActions })
  return {
    ...spec,
    output,
    inputJson: lean(z.toJSONSchema(spec.input, { io: 'input' })),
    outputJson: lean(z.toJSONSchema(output, { io: 'output' }), true),
    run: (args, call) => spec.run(spec.input.parse(args), call),
  }
}

const suggestedActions = z
  .array(z.object({ toolName: z.string(), arguments: z.record(z.string(), z.unknown()), reason: z.string() }))
  .max(3)

// What every client knows without being told costs tokens in every list.
function lean(schema: Record<string, unknown>, open = false): Record<string, unknown> {
  const { $schema: _schema, ...rest } = strip(schema, open) as Record<string, unknown>
  return rest
}

function strip(node: unknown, open: boolean): unknown {
  if (Array.isArray(node)) return node.map((inner) => strip(inner, open))
  if (node === null || typeof node !== 'object') return node
  const entries = Object.entries(node).filter(([key, value]) => !isNoise(key, value, open))
  return Object.fromEntries(entries.map(([key, value]) => [key, strip(value, open)]))
}

const WIDEST = Number.MAX_SAFE_INTEGER

function isNoise(key: string, value: unknown, open: boolean): boolean {
  if (key === 'additionalProperties') return isEmpty(value) || (open && value === false)
  return key === 'propertyNames' || (key === 'maximum' && value === WIDEST) || (key === 'minimum' && value === -WIDEST)
}

const isEmpty = (value: unknown): boolean => value !== null && typeof value === 'object' && Object.keys(value).length === 0
