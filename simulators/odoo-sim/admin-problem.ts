import type { FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { adminProblems, readJson } from '../server.ts'
import { OdooError } from './odoo-error.ts'

/** An administrator's request that cannot be done; the text names the field and the fix. */
export class AdminProblem extends Error {
  readonly field: string
  readonly status: number
  constructor(field: string, message: string, status = 422) {
    super(message)
    this.field = field
    this.status = status
  }
}

/** A route body checked by its schema, and every problem as an answer: 422 by field, 404 or 409 with the reason. */
export function adminRoute<T>(schema: z.ZodType<T>, run: (body: T, request: FastifyRequest) => Promise<unknown>) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const parsed = schema.safeParse(Buffer.isBuffer(request.body) && request.body.length > 0 ? readJson(request) : {})
    if (!parsed.success) return reply.code(422).send(adminProblems(parsed.error))
    try {
      return await run(parsed.data, request)
    } catch (error) {
      if (error instanceof AdminProblem) return reply.code(error.status).send({ errors: [{ field: error.field, message: error.message }] })
      if (error instanceof OdooError)
        return reply.code(409).send({ errors: [{ field: '(odoo)', message: error.text.en }], name: error.className })
      throw error
    }
  }
}
