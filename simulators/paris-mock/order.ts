import { z } from 'zod'

/** An order as the contract of paris-mock answers it; `updated_at` is an addition of ours. Instants are ISO, UTC. */
export interface ParisOrder {
  id: string
  buyer: string
  status: string
  external_ref: string | null
  items: ParisItem[]
  created_at: string
  updated_at: string
}

export type ParisItem = z.infer<typeof parisItem>

const parisItem = z.object({ sku: z.string().min(1).max(200), qty: z.number().positive() })

/** Body of `POST /orders` and `PUT /orders/{id}`; further fields are ignored. */
export const orderDraft = z.object({
  buyer: z.string().min(1).max(500),
  items: z.array(parisItem).min(1).max(1000),
  external_ref: z.string().max(200).nullish(),
})
export type OrderDraft = z.infer<typeof orderDraft>

/** Body of `POST /admin/orders`: an order born in the marketplace, which may lie in the past. */
export const adminOrderDraft = orderDraft.extend({
  status: z.string().min(1).max(100).default('created'),
  created_at: z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text).toISOString())
    .optional(),
})

/** Body of `PATCH /admin/orders/{id}`: a change that nobody tells the hub about. */
export const adminOrderChange = z.strictObject({
  buyer: z.string().min(1).max(500).optional(),
  status: z.string().min(1).max(100).optional(),
  items: z.array(parisItem).min(1).max(1000).optional(),
})

export const orderPage = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  offset: z.coerce.number().int().min(0).default(0),
  external_ref: z.string().optional(),
})

export interface ParisProblem {
  detail: { loc: (string | number)[]; msg: string; type: string }[]
}

/** The 422 body: one entry a field, `loc` starting with where it was (`body` or `query`). */
export function problemsOf(error: z.ZodError, where: 'body' | 'query'): ParisProblem {
  return {
    detail: error.issues.map((issue) => ({
      loc: [where, ...issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key))],
      msg: issue.message,
      type: `value_error.${issue.code}`,
    })),
  }
}

/** The 422 body for SKUs the marketplace does not know; each `loc` is where one was. */
export function unknownSkuProblem(...locs: (string | number)[][]): ParisProblem {
  return { detail: locs.map((loc) => ({ loc, msg: 'unknown sku', type: 'value_error.sku' })) }
}
