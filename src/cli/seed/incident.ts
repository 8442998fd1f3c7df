import { z } from 'zod'
import { CAUSE_CODES } from '../../core/cause-code.ts'
import { Call, eventually, type SimulatorApi, SimulatorRefusal } from './simulator-api.ts'

/** A call whose texts may hold `{names}` of what earlier steps kept. */
const Step = z.strictObject({
  ...Call.shape,
  /** Repeated until the answer, as text, matches this regular expression. */
  until: z.string().optional(),
  /** What is kept of the answer: name to dotted path (`orders.0.id`). */
  keep: z.record(z.string(), z.string()).optional(),
})
export type Step = z.infer<typeof Step>

const Repair = z.strictObject({
  /** One sentence. */
  how: z.string().min(1),
  /** What removes the cause; empty where only a person decides. */
  call: z.array(Step),
})

/** One thing that goes wrong on the Monday: how it is planted, and what the hub must find. */
export const Incident = z.strictObject({
  /** What a person types. */
  reference: z.string().min(1),
  /** Where the order was born. */
  system: z.enum(['odoo', 'mercadolibre', 'paris']),
  story: z.string().min(1),
  plant: z.strictObject({
    first: z.array(Step).min(1),
    /** Needs the hub to have done something first; `done` tells that it is planted already. */
    late: z.strictObject({ done: Step.required({ until: true }), find: z.array(Step), steps: z.array(Step).min(1) }).optional(),
  }),
  declared: z.strictObject({
    cause: z.enum(CAUSE_CODES),
    state: z.enum(['dead', 'ambiguous', 'pending', 'delivered', 'quarantined', 'not-planned', 'applied', 'refused', 'unheard']),
    /** Channel that the state is one of. */
    channel: z.string().optional(),
    /** About how long after the seed it shows, seconds; at once when left out. */
    afterSeconds: z.number().optional(),
    repair: Repair,
    nextStep: z.enum([
      'replay',
      'fix-in-erp',
      'confirm-in-erp',
      'wait',
      'release',
      'extend-map',
      'inspect',
      'refetch',
      'person-decides',
      'none',
    ]),
  }),
})
export type Incident = z.infer<typeof Incident>
export const Incidents = z.array(Incident).max(40)

type Kept = Record<string, string>

/** Where incidents of each system are looked for, and what there tells that this one is planted. */
const PRESENT: Record<Incident['system'], (reference: string) => { call: Call; there: RegExp }[]> = {
  odoo: (reference) => [{ call: get('odoo-sim', `/admin/orders?client_order_ref=${reference}`), there: /"id":/ }],
  mercadolibre: (reference) => {
    const id = reference.replace(/^ML-/, '')
    return [
      { call: get('meli-sim', `/admin/orders?id=${id}`), there: /"id":/ },
      { call: get('meli-sim', `/admin/notifications?resource=/orders/${id}`), there: /"id":/ },
    ]
  },
  paris: (reference) => [{ call: get('paris-mock', `/orders?external_ref=${reference}`), there: /"id":/ }],
}

function get(on: Call['on'], path: string): Call {
  return { on, method: 'GET', path }
}

export async function isPlanted(api: SimulatorApi, { system, reference }: Incident): Promise<boolean> {
  for (const { call, there } of PRESENT[system](reference)) if (there.test(await api.text(call))) return true
  return false
}

/** Plants what needs nobody else. False: the account is not connected yet, so there is nobody to notify. */
export async function plantFirst(api: SimulatorApi, incident: Incident, patience: Patience): Promise<boolean> {
  try {
    await run(api, incident.plant.first, { ...standing(), reference: incident.reference }, patience)
    return true
  } catch (error) {
    if (error instanceof SimulatorRefusal && error.status === 409 && error.message.includes('not_subscribed')) return false
    throw error
  }
}

/** Plants what comes after the hub's own work. False: the hub has not come that far; a later run goes on with it. */
export async function plantLate(api: SimulatorApi, incident: Incident, patience: Patience): Promise<boolean> {
  const { late } = incident.plant
  if (!late) return true
  const kept = await run(api, late.find, { ...standing(), reference: incident.reference }, { ...patience, deadlineMs: 0 })
  if (kept === null) return false
  if ((await run(api, [late.done], kept, { ...patience, deadlineMs: 0 })) !== null) return true
  return (await run(api, late.steps, kept, patience)) !== null
}

/** Removes the cause at the simulators, as the responsible person would. */
export async function repair(api: SimulatorApi, incident: Incident, patience: Patience): Promise<boolean> {
  return (await run(api, incident.declared.repair.call, { ...standing(), reference: incident.reference }, patience)) !== null
}

export interface Patience {
  /** On the monotonic clock. */
  deadlineMs: number
  signal: AbortSignal
}

function standing(): Kept {
  return { halfHourAgo: new Date(Date.now() - 1_800_000).toISOString() }
}

/** Null when a step never came true. */
async function run(api: SimulatorApi, steps: readonly Step[], given: Kept, patience: Patience): Promise<Kept | null> {
  const kept = { ...given }
  for (const { until, keep, ...step } of steps) {
    const call = filled(step, kept)
    const wanted = until === undefined ? null : new RegExp(fill(until, kept))
    const text = await eventually(async () => {
      const answer = await api.text(call)
      return wanted === null || wanted.test(answer) ? answer : undefined
    }, patience)
    if (text === undefined) return null
    for (const [name, path] of Object.entries(keep ?? {})) kept[name] = valueAt(JSON.parse(text), path, call)
  }
  return kept
}

function filled({ on, method, path, body }: Call, kept: Kept): Call {
  const call = { on, method, path: fill(path, kept) }
  return body === undefined ? call : { ...call, body: filledIn(body, kept) }
}

type Json = NonNullable<Call['body']> | null

function filledIn(value: Json, kept: Kept): Json {
  if (typeof value === 'string') return fill(value, kept)
  if (Array.isArray(value)) return value.map((one) => filledIn(one, kept))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, filledIn(one, kept)]))
}

// Only names that were kept: braces of regular expressions stay as they are.
function fill(text: string, kept: Kept): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => kept[name] ?? whole)
}

function valueAt(value: unknown, path: string, { on, path: asked }: Call): string {
  let at = value
  for (const part of path.split('.')) at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[part] : undefined
  if (typeof at === 'string' || typeof at === 'number') return String(at)
  throw new Error(`the answer of ${on} to ${asked} has no "${path}"`)
}
