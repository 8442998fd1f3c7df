import fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { pathOf, readJson, sameSecret } from './exchange.ts'
import { addFaultHooks } from './fault-hooks.ts'
import type { FaultParts } from './fault-hooks.ts'
import { createFaults, faultRule } from './faults.ts'
import type { Faults } from './faults.ts'
import { openLedger } from './ledger.ts'
import type { Ledger } from './ledger.ts'

export { decide, rawBody, readJson, requestIdOf, sha256 } from './exchange.ts'

export interface SimulatorOptions {
  name: string
  ledgerPath: string
  /** Value of `X-Admin-Key`. */
  key?: string
  /** Seed of every random choice. */
  seed?: number
  /** Request log on stderr. */
  log?: boolean
  bodyLimitBytes?: number
  /** The path that fault rules see; default: the URL path without its query. */
  faultPath?: (request: FastifyRequest) => string
  /** Paths whose requests leave no ledger line; default `/health`, which is polled. */
  unrecordedPaths?: readonly string[]
  /** The vendor's body for an error that no route answers: unknown route, too large, internal. */
  errorBody?: (status: number, message: string) => unknown
}

export interface Simulator {
  app: FastifyInstance
  ledger: Ledger
  faults: Faults
  /** A preHandler for routes of one's own under `/admin/`: 401 without the right `X-Admin-Key`. */
  requireAdminKey: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>
  /** Aborted when `close` begins: timers of one's own should stop by it. */
  closing: AbortSignal
  listen(port: number, host?: string): Promise<{ url: string; port: number }>
  /** Destroys open connections, then closes the ledger. */
  close(): Promise<void>
}

/**
 * The server under every simulator: raw bodies, the fault rules, one durable `request` line for each call outside `/admin/`
 * before its reply leaves, and the admin routes they share. Routes of the simulator are added to `app` before `listen`.
 */
export async function createSimulator(options: SimulatorOptions): Promise<Simulator> {
  const ledger = await openLedger(options.ledgerPath)
  const faults = createFaults(options.seed ?? 1)
  const closing = new AbortController()
  const app = fastify({
    logger: options.log ? { level: 'info', stream: process.stderr } : false,
    bodyLimit: options.bodyLimitBytes ?? 5 * 1024 * 1024,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 500 },
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  const errorBody = options.errorBody ?? ((_status: number, message: string) => ({ error: message }))
  app.setNotFoundHandler((_request, reply) => reply.code(404).send(errorBody(404, 'not found')))
  app.setErrorHandler((error: { statusCode?: number; message: string }, request, reply) => {
    const status = error.statusCode !== undefined && error.statusCode >= 400 ? error.statusCode : 500
    if (status >= 500) request.log.error(error)
    return reply.code(status).send(errorBody(status, status >= 500 ? 'internal error of the simulator' : error.message))
  })

  const parts: FaultParts = {
    ledger,
    faults,
    closing: closing.signal,
    faultPath: options.faultPath ?? pathOf,
    unrecordedPaths: options.unrecordedPaths ?? ['/health'],
  }
  addFaultHooks(app, parts)
  const requireAdminKey = adminGuard(options.key ?? 'change-me')
  addAdminRoutes(app, { ...parts, name: options.name, requireAdminKey })

  return {
    app,
    ledger,
    faults,
    requireAdminKey,
    closing: closing.signal,
    listen: (port, host = '127.0.0.1') => listen(app, port, host),
    async close() {
      closing.abort()
      await app.close()
      await ledger.close()
    },
  }
}

async function listen(app: FastifyInstance, port: number, host: string): Promise<{ url: string; port: number }> {
  await app.listen({ port, host })
  const address = app.server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  return { url: `http://${host}:${bound}`, port: bound }
}

function adminGuard(key: string): Simulator['requireAdminKey'] {
  return async (request, reply) => {
    if (sameSecret(request.headers['x-admin-key'], key)) return undefined
    return reply.code(401).send({ error: 'header X-Admin-Key is missing or wrong' })
  }
}

function addAdminRoutes(app: FastifyInstance, parts: FaultParts & { name: string; requireAdminKey: Simulator['requireAdminKey'] }): void {
  const { faults, ledger, name } = parts
  const guarded = { preHandler: parts.requireAdminKey }
  const listed = () => ({ faults: faults.list() })
  app.get('/admin/health', guarded, async () => ({ status: 'ok', name, seq: ledger.entries().at(-1)?.seq ?? 0 }))
  app.get('/admin/ledger', guarded, async (request, reply) => {
    const query = z.object({ since: z.coerce.number().int().min(0).default(0) }).safeParse(request.query)
    if (!query.success) return reply.code(422).send(adminProblems(query.error))
    return { entries: ledger.entries().filter((entry) => entry.seq > query.data.since) }
  })
  app.get('/admin/faults', guarded, async () => listed())
  app.delete('/admin/faults', guarded, async () => {
    faults.clear()
    return listed()
  })
  app.put('/admin/faults', guarded, async (request, reply) => {
    const rules = z.array(faultRule).safeParse(readJson(request))
    if (!rules.success) return reply.code(422).send(adminProblems(rules.error))
    faults.replace(rules.data)
    return listed()
  })
  app.post('/admin/faults', guarded, async (request, reply) => {
    const rule = faultRule.safeParse(readJson(request))
    if (!rule.success) return reply.code(422).send(adminProblems(rule.error))
    faults.add(rule.data)
    return reply.code(201).send(listed())
  })
}

/** The 422 body of admin routes: each field that is wrong and why. */
export function adminProblems(error: z.ZodError): { errors: { field: string; message: string }[] } {
  return { errors: error.issues.map((issue) => ({ field: issue.path.join('.') || '(body)', message: issue.message })) }
}
