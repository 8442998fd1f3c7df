import { ROLE_SCOPES } from '../../src/apps/mcp-server/principal.ts'
import { type Desk, openDesk } from '../../src/desk.ts'
import { type Era, mcpClient } from './mcp-client.ts'
import type { RunningHub } from './running-hub.ts'

export interface Evidence {
  table: string
  id: string
  says: string
}

/** What `trace_order` answers, as far as these tests look at it. */
export interface TraceData {
  order_id: string
  found: boolean
  cause: string
  sentence: string
  certainty: string
  next_step: { kind: string; sentence: string }
  dead_letter?: string
  evidence: Evidence[]
  targets?: { target: string; cause: string; sentence: string }[]
  also_found?: { cause: string; sentence: string }[]
  timeline?: { at: string; source: string; channel?: string; what: string; ref: string }[]
  candidates?: { order_id: string; known: string }[]
  suggestedActions: { toolName: string; arguments: Record<string, unknown>; reason: string }[]
}

export interface Reply {
  isError: boolean
  text: string
  data: Record<string, unknown>
}

export interface Agent {
  call(name: string, args?: Record<string, unknown>): Promise<Reply>
  trace(orderId: string): Promise<TraceData>
  close(): Promise<void>
}

/** The desk of a running hub: another process's view, on the same database. */
export const deskOf = (running: RunningHub): Promise<Desk> => openDesk(running.hub.config, running.database.url)

/** An agent of one role, speaking MCP to the desk through the SDK's own client. */
export async function agentOf(desk: Desk, role: 'viewer' | 'operator' | 'admin', options: { id?: string; era?: Era } = {}): Promise<Agent> {
  const principal = { id: options.id ?? `agent-${role}`, scopes: new Set(ROLE_SCOPES[role] ?? []), via: 'mcp-stdio' as const }
  const onBug = (error: unknown, tool: string): never => {
    throw new Error(`${tool} failed`, { cause: error })
  }
  const deps = { ports: desk, authenticate: () => Promise.resolve(principal), version: '0.0.0', onBug }
  const { client, close } = await mcpClient(deps, options.era ?? '2026-07-28')
  const call = async (name: string, args: Record<string, unknown> = {}): Promise<Reply> => {
    const result = await client.callTool({ name, arguments: args })
    const [content] = result.content as { text: string }[]
    return {
      isError: result.isError === true,
      text: content?.text ?? '',
      data: (result.structuredContent ?? {}) as Record<string, unknown>,
    }
  }
  return {
    call,
    async trace(orderId) {
      const reply = await call('trace_order', { order_id: orderId })
      if (reply.isError) throw new Error(`trace_order ${orderId}: ${reply.text}`)
      return reply.data as unknown as TraceData
    },
    close,
  }
}

const BY_ID = [
  'silver_order',
  'binding',
  'delivery',
  'attempt',
  'inbound_event',
  'inbound_request',
  'observation',
  'erp_quarantine',
  'drift',
  'channel',
]
const NAMED: Record<string, string> = { cursor: 'name', worker_heartbeat: 'app' }

/** The rows that an answer cites and that are not in the database. `erp` is asked of the ERP, `identifier` says that there is none. */
export async function missingEvidence(running: RunningHub, evidence: readonly Evidence[]): Promise<Evidence[]> {
  const missing: Evidence[] = []
  for (const cited of evidence) if (!(await exists(running, cited))) missing.push(cited)
  return missing
}

async function exists(running: RunningHub, { table, id }: Evidence): Promise<boolean> {
  if (table === 'erp') {
    const asked = await running.odoo('GET', `/admin/orders/${id}`).catch(() => null)
    return asked !== null
  }
  const column = BY_ID.includes(table) ? 'id' : NAMED[table]
  if (column === undefined) return false
  const { rowCount } = await running.owner.query(`SELECT FROM ${table} WHERE ${column}::text = $1`, [id])
  return (rowCount ?? 0) > 0
}
