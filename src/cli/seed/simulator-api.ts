import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { type Config, SIMULATOR_KEY } from '../../config.ts'
import { IntegrationError } from '../../core/integration-error.ts'
import { httpClient } from '../../drivers/http.ts'
import { CliError } from '../context.ts'

const SIMULATORS = ['odoo-sim', 'meli-sim', 'paris-mock'] as const

/** One request at a simulator. */
export const Call = z.strictObject({
  on: z.enum(SIMULATORS),
  method: z.enum(['GET', 'POST', 'PUT', 'DELETE']),
  path: z.string().startsWith('/'),
  body: z.json().optional(),
})
export type Call = z.infer<typeof Call>

export interface SimulatorApi {
  /** The answer as text; throws a CliError with the simulator's words for any other than 2xx. */
  text(call: Call): Promise<string>
  /** The answer read by a schema. */
  ask<T>(schema: z.ZodType<T>, call: Call): Promise<T>
  close(): Promise<void>
}

/** A simulator's refusal, told apart from its absence. */
export class SimulatorRefusal extends CliError {
  readonly status: number
  constructor(call: Call, status: number, text: string) {
    super('simulator-refused', `${call.on} answered ${status} to ${call.method} ${call.path}: ${text.slice(0, 500)}`)
    this.name = 'SimulatorRefusal'
    this.status = status
  }
}

const TIMEOUT_MS = 20_000
/** Lists of everything are asked for. */
const LARGEST_ANSWER = 128 * 1024 * 1024

/** What a person or a vendor does in the three systems; only simulators have these calls. */
export function simulatorApi(config: Config, signal: AbortSignal): SimulatorApi {
  const client = (origin: string) => httpClient({ origin, timeoutMs: TIMEOUT_MS, connections: 12, maxResponseBytes: LARGEST_ANSWER })
  const clients = {
    'odoo-sim': client(config.odoo.url),
    'meli-sim': client(config.mercadolibre.apiBase),
    'paris-mock': client(config.paris.url),
  }
  const headers = { 'x-admin-key': SIMULATOR_KEY, 'x-api-key': config.paris.apiKey.reveal() }
  const text = async (call: Call): Promise<string> => {
    signal.throwIfAborted()
    const body = call.body === undefined ? {} : { body: JSON.stringify(call.body) }
    try {
      const reply = await clients[call.on].exchange({ method: call.method, path: call.path, headers, ...body, signal })
      if (reply.status >= 300) throw new SimulatorRefusal(call, reply.status, reply.text)
      return reply.text
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof IntegrationError)) throw error
      const { origin } = clients[call.on]
      throw new CliError('simulator-unreachable', `${call.on} does not answer on ${origin} (${error.code}); start it with \`npm start\``)
    }
  }
  return {
    text,
    ask: async (schema, call) => schema.parse(JSON.parse(await text(call))),
    close: async () => void (await Promise.all(Object.values(clients).map((c) => c.close()))),
  }
}

/** Runs `act` for every item, at most `width` at once; the first failure ends it. */
export async function sideBySide<T>(items: readonly T[], width: number, act: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  const lane = async (): Promise<void> => {
    for (const item of queue) await act(item)
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane))
}

/** Tries until `attempt` answers something, at most until `deadlineMs` on the monotonic clock, which may be set while it waits; undefined when it never did. */
export async function eventually<T>(
  attempt: () => Promise<T | undefined>,
  patience: { readonly deadlineMs: number; signal: AbortSignal },
): Promise<T | undefined> {
  for (;;) {
    const found = await attempt()
    if (found !== undefined || performance.now() > patience.deadlineMs) return found
    await wait(POLL_MS, undefined, { signal: patience.signal })
  }
}

const POLL_MS = 400
