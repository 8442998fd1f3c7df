import { setTimeout as wait } from 'node:timers/promises'
import type { Faults } from '../faults.ts'
import type { Ledger } from '../ledger.ts'
import { sha256 } from '../server.ts'
import { type Env, microsToLongText } from './env.ts'
import { shown } from './reading.ts'
import type { OrderAct, Row } from './tables.ts'

export interface Automation {
  /** null = no automation rule is set up. */
  url: string | null
  orderChanged(env: Env, change: { orderId: number; act: OrderAct; row: Row | null }): void
  /** Resolves when no post is under way. */
  idle(): Promise<void>
}

/** How many identical posts one business act gives (verified on 19: at least 4, 8 for line added and confirmed, 3). */
const POSTS: Record<OrderAct, number> = {
  created: 4,
  updated: 2,
  confirmed: 4,
  cancelled: 2,
  status: 3,
  message: 0,
  tracking: 0,
  deleted: 0,
}
const FIELDS = ['client_order_ref', 'name', 'state', 'write_date']
const TIMEOUT_MS = 1000
/** Posts of one order follow each other; different orders come from different workers of Odoo. */
const LANES = 4

/** Odoo's webhook action: unsigned, no delivery id, one attempt with a time-out of 1 s, after the commit, several posts per act. */
export function createAutomation(parts: { ledger: Ledger; faults: Faults; closing: AbortSignal }): Automation {
  const underWay = new Set<Promise<void>>()
  const lanes = Array.from({ length: LANES }, () => Promise.resolve())
  const automation: Automation = {
    url: null,
    orderChanged(env, { orderId, act, row }) {
      const url = automation.url
      if (url === null || row === null || POSTS[act] === 0) return
      const body = JSON.stringify({ _action: 'Send Webhook Notification(#412)', _id: orderId, _model: 'sale.order', ...fieldsOf(env, row) })
      for (let copy = 0; copy < POSTS[act]; copy += 1) {
        const lane = (lanes[orderId % LANES] ?? Promise.resolve()).then(() => post(parts, url, body, track)).catch(() => {})
        lanes[orderId % LANES] = lane
        track(lane)
      }
    },
    async idle() {
      while (underWay.size > 0) await Promise.all(underWay)
    },
  }
  const track = (one: Promise<void>) => {
    underWay.add(one)
    void one.finally(() => underWay.delete(one))
  }
  return automation
}

function fieldsOf(env: Env, row: Row): Record<string, unknown> {
  const fields = env.tables.models.get('sale.order')?.fields
  const values: Record<string, unknown> = { id: row.id }
  for (const name of FIELDS) {
    const field = fields?.get(name)
    if (field)
      values[name] =
        name === 'write_date' ? microsToLongText(row.write_date) : shown(env, { model: 'sale.order', name, field, pairs: false }, row)
  }
  return values
}

type Parts = Parameters<typeof createAutomation>[0]

async function post(parts: Parts, url: string, body: string, track: (one: Promise<void>) => void): Promise<void> {
  const fault = parts.faults.forWebhook({ method: 'POST', path: new URL(url).pathname, body })
  const line = { kind: 'webhook', url, eventId: null, bodySha256: sha256(body), attempt: 1 } as const
  if (fault?.fault === 'lost-webhook') {
    await parts.ledger.append({ ...line, status: null, error: 'lost-webhook' })
    return
  }
  if (fault?.fault === 'delay-webhook') {
    track(
      wait(fault.ms ?? 0, undefined, { signal: parts.closing }).then(
        () => send(parts, line, body),
        () => {},
      ),
    )
    return
  }
  await send(parts, line, body)
  if (fault?.fault === 'duplicate-webhook') await send(parts, line, body)
}

type Line = { kind: 'webhook'; url: string; eventId: null; bodySha256: string; attempt: number }

async function send(parts: Parts, line: Line, body: string): Promise<void> {
  const outcome: { status: number | null; error?: string } = { status: null }
  try {
    const signal = AbortSignal.any([parts.closing, AbortSignal.timeout(TIMEOUT_MS)])
    const headers = { 'content-type': 'application/json', 'user-agent': 'python-requests/2.31.0', accept: '*/*' }
    const response = await fetch(line.url, { method: 'POST', body, headers, signal, redirect: 'manual' })
    await response.arrayBuffer()
    outcome.status = response.status
  } catch (error) {
    outcome.error = error instanceof Error ? error.name : 'error'
  }
  if (!parts.closing.aborted) await parts.ledger.append({ ...line, ...outcome })
}
