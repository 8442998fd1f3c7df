import { readFileSync } from 'node:fs'
import { type Between, until } from '../support/running-hub.ts'
import type { Fired } from './plan.ts'
import { ODOO_TAKES_A_MOMENT, type Stage } from './stage.ts'
import type { LinkFault } from './tcp-proxy.ts'
import { type Made, perform } from './workload.ts'

type System = 'odoo' | 'meli' | 'paris'
type Rule = { match: { method?: string; path?: string; body?: string }; fault: string; times?: number } & Record<string, unknown>

/** A fault by name: rules of a simulator, or what a proxy does. */
type Fault =
  | { kind: 'simulator'; system: System; rules: Rule[] }
  | { kind: 'link'; system: Between; fault: LinkFault | { kind: 'reset-once' } }

const CREATE_OR_CANCEL = { method: 'POST', path: '^/orders(/[^/]+/cancel)?$' }
const UPDATE = { method: 'PUT', path: '^/orders/[^/]+$' }
const WRITE = { path: 'sale.order.(load|action_confirm|action_cancel|message_post)$' }
// The others tell of stock.
const OF_AN_ORDER = { body: '"resource":"/(orders|shipments|packs)/' }
// Of one order: a search serves none.
const READ = { method: 'GET', path: '^/(orders|packs|shipments)/\\d' }

const onSend = (system: 'meli' | 'paris', fault: string, more: Record<string, unknown> = {}): Fault => ({
  kind: 'simulator',
  system,
  rules: [CREATE_OR_CANCEL, UPDATE].map((match) => ({ match, fault, times: 2, ...more })),
})
const onWrite = (fault: string, more: Record<string, unknown> = {}): Fault => ({
  kind: 'simulator',
  system: 'odoo',
  rules: [{ match: WRITE, fault, times: 2, ...more }],
})

const FAULTS = {
  'meli accepts and hangs': onSend('meli', 'accept-then-hang'),
  'meli accepts and resets': onSend('meli', 'accept-then-reset'),
  'meli answers nothing': onSend('meli', 'empty'),
  'meli cuts its answer': onSend('meli', 'truncate'),
  'meli hangs': onSend('meli', 'hang'),
  'meli answers 500': onSend('meli', 'status', { status: 500 }),
  'meli answers 429': onSend('meli', 'status', { status: 429, retryAfter: '1', body: '{"message":"slow down"}' }),
  'meli answers HTML': onSend('meli', 'html'),
  'meli accepts late': onSend('meli', 'late', { ms: 700 }),
  'meli reads fail': { kind: 'simulator', system: 'meli', rules: [{ match: READ, fault: 'status', status: 502, times: 3 }] },
  'paris accepts and hangs': onSend('paris', 'accept-then-hang'),
  'paris accepts and resets': onSend('paris', 'accept-then-reset'),
  'paris answers nothing': onSend('paris', 'empty'),
  'paris cuts its answer': onSend('paris', 'truncate'),
  'paris answers 503 with Retry-After': onSend('paris', 'status', { status: 503, retryAfter: '1' }),
  'paris accepts late': onSend('paris', 'late', { ms: 700 }),
  'odoo accepts and hangs': onWrite('accept-then-hang'),
  'odoo accepts and resets': onWrite('accept-then-reset'),
  'odoo answers 500': onWrite('status', { status: 500 }),
  'odoo hangs': onWrite('hang'),
  'webhooks are doubled': { kind: 'simulator', system: 'meli', rules: [{ match: OF_AN_ORDER, fault: 'duplicate-webhook', times: 4 }] },
  'webhooks are lost': { kind: 'simulator', system: 'meli', rules: [{ match: OF_AN_ORDER, fault: 'lost-webhook', times: 2 }] },
  'webhooks are late': { kind: 'simulator', system: 'meli', rules: [{ match: OF_AN_ORDER, fault: 'delay-webhook', ms: 1_000, times: 4 }] },
  'database resets': { kind: 'link', system: 'postgres', fault: { kind: 'reset-once' } },
  'database answers late': { kind: 'link', system: 'postgres', fault: { kind: 'latency', ms: 15 } },
  'meli is half open': { kind: 'link', system: 'meli', fault: { kind: 'half-open' } },
  'meli is a black hole': { kind: 'link', system: 'meli', fault: { kind: 'black-hole' } },
  'meli answers are cut at byte 120': { kind: 'link', system: 'meli', fault: { kind: 'cut', direction: 'answer', atByte: 120 } },
  'odoo requests are cut at byte 90': { kind: 'link', system: 'odoo', fault: { kind: 'cut', direction: 'request', atByte: 90 } },
  'paris refuses connections': { kind: 'link', system: 'paris', fault: { kind: 'refuse' } },
} as const satisfies Record<string, Fault>

export type FaultName = keyof typeof FAULTS
export const FAULT_NAMES = Object.keys(FAULTS)

/** Systems that a proxy must stand before for these faults. */
export function linksOf(names: readonly string[]): Between[] {
  return names.flatMap((name) => {
    const fault = faultOf(name)
    return fault.kind === 'link' ? [fault.system] : []
  })
}

function faultOf(name: string): Fault {
  const fault: Fault | undefined = (FAULTS as Record<string, Fault>)[name]
  if (!fault) throw new Error(`there is no fault "${name}"`)
  return fault
}

const CHANNELS: Record<Between, string[]> = {
  meli: ['mercadolibre:1001', 'mercadolibre:1002'],
  paris: ['paris:main'],
  odoo: ['odoo'],
  postgres: [],
}

/** Channels that these faults make fail: the others must go on. */
export function faultyChannels(names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const fault = faultOf(name)
    return fault.kind === 'simulator' && isOfWebhooks(fault) ? [] : CHANNELS[fault.system]
  })
}

/** Faults that begin before the work does; a link's fault begins when work is under way (`failLinks`). */
export async function beginFaults(stage: Stage): Promise<void> {
  const rules = new Map<System, Rule[]>()
  for (const name of stage.plan.faults) {
    const fault = faultOf(name)
    if (fault.kind === 'simulator') rules.set(fault.system, [...(rules.get(fault.system) ?? []), ...fault.rules])
  }
  for (const [system, some] of rules) {
    const all = system === 'odoo' ? [...some, ODOO_TAKES_A_MOMENT] : some
    await stage.running[system]('PUT', '/admin/faults', all)
    stage.note(`${system}: ${some.map((rule) => rule.fault).join(', ')}`)
  }
}

/** Lets links fail until each fired with work under way, or the time is over; then they are whole again. Makes an order more where none is. */
export async function failLinks(stage: Stage, made: Made): Promise<void> {
  for (const name of stage.plan.faults) {
    const fault = faultOf(name)
    if (fault.kind !== 'link') continue
    const proxy = stage.link(fault.system)
    const inFlight = await untilUnderWay(stage, UNDER_WAY_MS)
    const at = new Date().toISOString()
    if (fault.fault.kind === 'reset-once') {
      if (proxy.resetAll() > 0) stage.fired.push({ at, fault: name, inFlight })
    } else {
      proxy.set(fault.fault)
      const end = Date.now() + UNDER_WAY_MS
      while (proxy.hits() === 0 && Date.now() < end) await pause(20)
      if (proxy.hits() === 0) {
        await perform(stage, [{ act: 'erp-order', team: fault.system === 'paris' ? 'Paris' : 'MercadoLibre', ...ONE_MORE }], made)
        await until(() => Promise.resolve(proxy.hits() > 0 || undefined), FIRST_HIT_MS).catch(() => {})
      }
      if (proxy.hits() > 0) stage.fired.push({ at, fault: name, inFlight })
      await pause(fault.fault.kind === 'latency' ? 1_500 : 500)
      proxy.set({ kind: 'none' })
      // Every statement waits then, by no fault of the hub: what a transaction asks of others meanwhile is still seen, at the call itself.
      if (fault.system === 'postgres') stage.evidence.frozen(new Date(at), new Date())
    }
    stage.note(name)
  }
}

const UNDER_WAY_MS = 3_000
/** A node that shall take up the order may have to be started first. */
const FIRST_HIT_MS = 30_000
const ONE_MORE = { sku: 'SKU-001', quantity: 1, price: 1_000 }

async function untilUnderWay(stage: Stage, forMs: number): Promise<string> {
  const end = Date.now() + forMs
  for (;;) {
    const inFlight = await stage.underWay()
    if (inFlight !== '' || Date.now() > end) return inFlight
    await pause(10)
  }
}

/** Which rules of simulators fired, by their own ledgers, and for which order: the request id names the attempt. */
export async function firedAtSimulators(stage: Stage): Promise<Fired[]> {
  const fired: Fired[] = []
  for (const name of stage.plan.faults) {
    const fault = faultOf(name)
    if (fault.kind !== 'simulator') continue
    fired.push(...(isOfWebhooks(fault) ? await firedWebhooks(stage, name, fault) : await firedRequests(stage, name, fault)))
  }
  return fired
}

type SimulatorFault = Extract<Fault, { kind: 'simulator' }>

/** Whether it befalls notifications alone: no request of the hub. */
const isOfWebhooks = ({ rules }: SimulatorFault): boolean => rules.every((rule) => rule.fault.endsWith('-webhook'))

async function firedRequests(stage: Stage, name: string, fault: SimulatorFault): Promise<Fired[]> {
  const words = new Set(fault.rules.map((rule) => (rule.fault === 'late' ? 'delayed' : rule.fault)))
  const lines = readLines(stage.running.ledgers[fault.system]).filter((line) => line.kind === 'request' && words.has(line.decision))
  const fired = lines.map(async ({ at, requestId, path }) => ({
    at,
    fault: name,
    // The request of a sweep serves no single delivery or event; its path says of which order it is.
    inFlight: requestId ? await orderOfRequest(stage, requestId) : (/^\/(orders|packs|shipments)\/\d+/.exec(path)?.[0] ?? ''),
  }))
  return (await Promise.all(fired)).filter((one) => one.inFlight !== '')
}

// A notification leaves no line when a fault swallows it; the rule counts it, and each of them speaks of an order.
async function firedWebhooks({ running }: Stage, name: string, fault: SimulatorFault): Promise<Fired[]> {
  const { faults } = (await running[fault.system]('GET', '/admin/faults')) as { faults: { fault: string; hits: number }[] }
  const hits = faults.filter((rule) => rule.fault === fault.rules[0]?.fault).reduce((sum, rule) => sum + rule.hits, 0)
  return hits === 0 ? [] : [{ at: new Date().toISOString(), fault: name, inFlight: `${hits} notifications of orders` }]
}

interface Line {
  kind: string
  seq: number
  at: string
  decision: string
  requestId: string | null
  path: string
}

function readLines(path: string): Line[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]))
}

async function orderOfRequest({ running }: Stage, requestId: string): Promise<string> {
  const { rows } = await running.owner.query<{ what: string | null }>(
    `SELECT coalesce(b.reference, e.resource) AS what FROM attempt a
     LEFT JOIN delivery d ON d.id = a.delivery_id LEFT JOIN binding b ON b.id = d.binding_id LEFT JOIN inbound_event e ON e.id = a.inbound_event_id
     WHERE a.id::text = $1`,
    [requestId],
  )
  return rows[0]?.what ?? ''
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
