import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { decide, readJson, requestIdOf, sha256 } from '../server.ts'
import { orderDraft, orderPage, problemsOf, unknownSkuProblem } from './order.ts'
import type { OrderDraft, ParisOrder } from './order.ts'
import type { ParisMock } from './paris-mock.ts'

type WithId = FastifyRequest<{ Params: { id: string } }>

const registration = z.object({ url: z.url({ protocol: /^https?$/ }) })

/** The contract's calls outside `/admin/`; all but `/health` need `X-API-Key`. */
export function addContractRoutes(mock: ParisMock): void {
  const { app, store } = mock
  app.addHook('preHandler', async (request, reply) => {
    const open = request.url.startsWith('/admin/') || request.url.split('?', 1)[0] === '/health'
    if (open || hasApiKey(mock, request)) return
    decide(request, 'unauthorized')
    return reply.code(401).send({ detail: 'invalid or missing X-API-Key' })
  })
  app.get('/health', async () => ({ status: 'ok' }))
  app.post('/orders', (request, reply) => createOrder(mock, request, reply))
  app.get('/orders', async (request, reply) => {
    const query = orderPage.safeParse(request.query)
    if (!query.success) return reply.code(422).send(problemsOf(query.error, 'query'))
    const { limit, offset, external_ref: reference } = query.data
    const found = store.list({ limit, offset, ...(mock.behaviour().referenceLookUp ? { reference } : {}) })
    decide(request, 'listed', { detail: { count: found.length } })
    return found
  })
  app.get<{ Params: { id: string } }>('/orders/:id', async (request, reply) => {
    const order = store.find(request.params.id)
    if (order === null) return notFound(request, reply)
    decide(request, 'shown', { orderId: order.id })
    return order
  })
  app.put<{ Params: { id: string } }>('/orders/:id', (request, reply) => updateOrder(mock, request, reply))
  app.post<{ Params: { id: string } }>('/orders/:id/cancel', (request, reply) => cancelOrder(mock, request, reply))
  app.post('/webhooks/register', async (request, reply) => {
    const body = registration.safeParse(readJson(request))
    if (!body.success) return reply.code(422).send(problemsOf(body.error, 'body'))
    const known = mock.webhookUrls.get()
    if (!known.includes(body.data.url)) await mock.webhookUrls.set([...known, body.data.url])
    decide(request, 'registered')
    return reply.code(201).send({ registered: body.data.url })
  })
}

/** True when the header carries the key that is accepted now. */
export function hasApiKey(mock: ParisMock, request: FastifyRequest): boolean {
  const given = request.headers['x-api-key']
  return typeof given === 'string' && sha256(given) === mock.apiKeySha256.get()
}

/** The refusal the operator asked for: of the reference, or of unknown SKUs. */
function refused(mock: ParisMock, request: FastifyRequest, draft: OrderDraft): { status: number; body: unknown } | null {
  const refusal = mock.refusedReferences.get().find((one) => one.reference === draft.external_ref)
  if (refusal !== undefined) {
    decide(request, 'rejected', { detail: { reference: refusal.reference } })
    return { status: refusal.status, body: { detail: refusal.message } }
  }
  const unknown = new Set(mock.unknownSkus.get())
  const indexes = draft.items.flatMap((item, index) => (unknown.has(item.sku) ? [index] : []))
  if (indexes.length === 0) return null
  decide(request, 'sku-unknown', { detail: { skus: indexes.map((index) => draft.items[index]?.sku) } })
  return { status: 422, body: unknownSkuProblem(...indexes.map((index) => ['body', 'items', index, 'sku'])) }
}

async function createOrder(mock: ParisMock, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const body = orderDraft.safeParse(readJson(request))
  if (!body.success) return reply.code(422).send(problemsOf(body.error, 'body'))
  await processing(mock)
  const stored = storedOrder(mock, request, body.data)
  if (stored !== null) {
    decide(request, 'deduplicated', { orderId: stored.id })
    return reply.code(201).send(stored)
  }
  const refusal = refused(mock, request, body.data)
  if (refusal !== null) return reply.code(refusal.status).send(refusal.body)
  const author = { by: 'client', requestId: requestIdOf(request) } as const
  const { order, saved } = mock.store.create(body.data, author, mock.behaviour().searchLagMs)
  await Promise.all([saved, rememberKey(mock, request, order)])
  decide(request, 'created', { orderId: order.id })
  return reply.code(201).send(order)
}

/** The order that the profile answers a repeat with. */
function storedOrder(mock: ParisMock, request: FastifyRequest, draft: OrderDraft): ParisOrder | null {
  switch (mock.behaviour().profile) {
    case 'naive':
      return null
    case 'external-ref-unique':
      return draft.external_ref ? mock.store.findByReference(draft.external_ref) : null
    case 'idempotent-key': {
      const key = request.headers['idempotency-key']
      const id = typeof key === 'string' ? mock.idempotencyKeys.find(key) : null
      return id === null ? null : mock.store.find(id)
    }
  }
}

async function rememberKey(mock: ParisMock, request: FastifyRequest, order: ParisOrder): Promise<void> {
  const key = request.headers['idempotency-key']
  if (typeof key === 'string') await mock.idempotencyKeys.remember(key, order.id)
}

async function updateOrder(mock: ParisMock, request: WithId, reply: FastifyReply): Promise<FastifyReply> {
  const body = orderDraft.safeParse(readJson(request))
  if (!body.success) return reply.code(422).send(problemsOf(body.error, 'body'))
  await processing(mock)
  const { id } = request.params
  if (mock.store.find(id) === null) return notFound(request, reply)
  const { external_ref: reference } = body.data
  const holder = reference && mock.behaviour().profile === 'external-ref-unique' ? mock.store.findByReference(reference) : null
  if (holder !== null && holder.id !== id) {
    decide(request, 'reference-taken', { detail: { holder: holder.id } })
    return reply.code(409).send({ detail: `external_ref belongs to order ${holder.id}` })
  }
  const refusal = refused(mock, request, body.data)
  if (refusal !== null) return reply.code(refusal.status).send(refusal.body)
  const changed = await mock.store.change(id, { act: 'updated', patch: body.data }, { by: 'client', requestId: requestIdOf(request) })
  if (changed === null) return notFound(request, reply)
  decide(request, 'updated', { orderId: id })
  return reply.code(200).send(changed.order)
}

async function cancelOrder(mock: ParisMock, request: WithId, reply: FastifyReply): Promise<FastifyReply> {
  await processing(mock)
  const { id } = request.params
  const known = mock.store.find(id)
  if (known === null) return notFound(request, reply)
  if (known.status === 'cancelled') {
    decide(request, 'already-cancelled', { orderId: id })
    return reply.code(200).send(known)
  }
  const author = { by: 'client', requestId: requestIdOf(request) } as const
  const changed = await mock.store.change(id, { act: 'cancelled', patch: { status: 'cancelled' } }, author)
  if (changed === null) return notFound(request, reply)
  decide(request, 'cancelled', { orderId: id })
  return reply.code(200).send(changed.order)
}

async function processing(mock: ParisMock): Promise<void> {
  const { processingMs } = mock.behaviour()
  if (processingMs > 0) await wait(processingMs, undefined, { signal: mock.closing })
}

function notFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  decide(request, 'not-found')
  return reply.code(404).send({ detail: 'order not found' })
}
