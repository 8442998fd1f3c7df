import { z } from 'zod'
import { OdooError } from './odoo-error.ts'

const pattern = z.string().superRefine((text, context) => {
  try {
    new RegExp(text)
  } catch {
    context.addIssue({ code: 'custom', message: 'not a regular expression' })
  }
})

/** Makes the hub's writes fail as an extension module or a data rule of that company would. */
export const writeFailure = z.strictObject({
  match: z.strictObject({ model: z.string().optional(), method: pattern.optional(), body: pattern.optional() }).default({}),
  error: z
    .enum(['UserError', 'ValidationError', 'AccessError', 'MissingError', 'SerializationFailure', 'LockNotAvailable', 'DeadlockDetected'])
    .default('UserError'),
  message: z.string().default('The order could not be saved.'),
  times: z.int().min(1).optional(),
})

export type WriteFailure = z.output<typeof writeFailure>

export interface WriteFailures {
  replace(rules: WriteFailure[]): void
  add(rule: WriteFailure): void
  list(): (WriteFailure & { hits: number })[]
  /** The error a write ends with, counting it; null when none. `body` is matched against the arguments as JSON. */
  forWrite(model: string, method: string, args: unknown): OdooError | null
}

export function createWriteFailures(): WriteFailures {
  let live: { rule: WriteFailure; hits: number }[] = []
  return {
    replace: (rules) => void (live = rules.map((rule) => ({ rule, hits: 0 }))),
    add: (rule) => void live.push({ rule, hits: 0 }),
    list: () => live.map(({ rule, hits }) => ({ ...rule, hits })),
    forWrite(model, method, args) {
      const found = live.find(({ rule, hits }) => hits < (rule.times ?? Infinity) && matches(rule, { model, method, args }))
      if (!found) return null
      found.hits += 1
      return new OdooError(classNameOf(found.rule.error), found.rule.message)
    },
  }
}

function matches({ match }: WriteFailure, call: { model: string; method: string; args: unknown }): boolean {
  if (match.model !== undefined && match.model !== call.model) return false
  if (match.method !== undefined && !new RegExp(match.method).test(call.method)) return false
  return match.body === undefined || new RegExp(match.body).test(JSON.stringify(call.args))
}

function classNameOf(error: WriteFailure['error']): string {
  return error.endsWith('Error') ? `odoo.exceptions.${error}` : `psycopg2.errors.${error}`
}
