import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { adminProblems, rawBody, readJson, requestIdOf, sha256 } from '../server.ts'
import { adminOrderChange, adminOrderDraft } from './order.ts'
import type { ParisMock } from './paris-mock.ts'
import { hasApiKey } from './routes.ts'
import { behaviourChange, webhookChange } from './settings.ts'
import type { ParisEvent } from './webhook.ts'

interface ById {
  Params: { id: string }
}

const skuList = z.strictObject({ skus: z.array(z.string().min(1)).min(1) })
const refusals = z.strictObject({
  references: z.array(z.string().min(1)).min(1),
  status: z.int().min(400).max(499).default(400),
  message: z.string().min(1).default('order refused'),
})
const referenceList = z.strictObject({ references: z.array(z.string()) })
const newKey = z.strictObject({ key: z.string().min(1) })
const emission = z.strictObject({
  status: z.string().min(1).max(100).default('delivered'),
  /** Posts under this id instead of a new one: what makes a `webhook-conflict`. */
  event_id: z.string().min(1).max(200).optional(),
  /** Signs with this instead of the configured secrets: what a receiver must refuse. */
  sign_with: z.string().min(1).optional(),
  timestamp_offset_seconds: z.int().optional(),
})

/** Knobs of the simulator; all need `X-Admin-Key`, but `emit-webhook`, which is in the contract, takes `X-API-Key` too. */
export function addAdminRoutes(mock: ParisMock): void {
  addOrderKnobs(mock)
  addRefusalKnobs(mock)
  addSettingKnobs(mock)
}

function addOrderKnobs(mock: ParisMock): void {
  const { app, store } = mock
  const guarded = { preHandler: mock.requireAdminKey }
  app.post<ById>('/admin/orders/:id/emit-webhook', async (request, reply) => {
    if (!hasApiKey(mock, request)) {
      const refusal = await mock.requireAdminKey(request, reply)
      if (refusal !== undefined) return refusal
    }
    return emitWebhook(mock, request, reply)
  })
  app.post('/admin/orders', guarded, async (request, reply) => {
    const body = adminOrderDraft.safeParse(readJson(request))
    if (!body.success) return reply.code(422).send(adminProblems(body.error))
    const { order, saved } = store.create(body.data, authorOf(request))
    await saved
    return reply.code(201).send(order)
  })
  app.patch<ById>('/admin/orders/:id', guarded, async (request, reply) => {
    const body = adminOrderChange.safeParse(readJson(request))
    if (!body.success) return reply.code(422).send(adminProblems(body.error))
    const act = body.data.status === undefined ? 'updated' : body.data.status === 'cancelled' ? 'cancelled' : 'status'
    const changed = await store.change(request.params.id, { act, patch: body.data }, authorOf(request))
    return changed === null ? unknownOrder(reply) : changed.order
  })
  app.post<ById>('/admin/orders/:id/delete', guarded, async (request, reply) => {
    const deleted = await store.remove(request.params.id, authorOf(request))
    return deleted === null ? unknownOrder(reply) : { deleted }
  })
  app.post<ById>('/admin/orders/:id/duplicate', guarded, async (request, reply) => {
    const original = store.find(request.params.id)
    if (original === null) return unknownOrder(reply)
    const { order, saved } = store.create({ ...original, created_at: undefined }, authorOf(request))
    await saved
    return reply.code(201).send(order)
  })
}

async function emitWebhook(mock: ParisMock, request: FastifyRequest<ById>, reply: FastifyReply): Promise<unknown> {
  const given = readJson(request)
  const body = emission.safeParse(
    given === undefined && (request.body === undefined || request.headers['content-length'] === '0') ? {} : given,
  )
  if (!body.success) return reply.code(422).send(adminProblems(body.error))
  const { status, event_id, sign_with, timestamp_offset_seconds } = body.data
  const act = status === 'cancelled' ? 'cancelled' : 'status'
  const changed = await mock.store.change(request.params.id, { act, patch: { status } }, authorOf(request))
  if (changed === null) return unknownOrder(reply)
  const event: ParisEvent = {
    // The number of the ledger line: new for every event, the same however often the simulator restarts.
    event_id: event_id ?? `e-${changed.seq}`,
    external_ref: changed.order.external_ref,
    order_id: changed.order.id,
    source: 'paris',
    status,
  }
  const deliveries = await mock.sender.post({
    event,
    urls: mock.webhookUrls.get(),
    signWith: sign_with,
    timestampOffsetSeconds: timestamp_offset_seconds,
  })
  return { event, deliveries }
}

function addRefusalKnobs(mock: ParisMock): void {
  const { app, unknownSkus, refusedReferences } = mock
  const guarded = { preHandler: mock.requireAdminKey }
  app.get('/admin/unknown-skus', guarded, async () => ({ skus: unknownSkus.get() }))
  app.post('/admin/unknown-skus', guarded, async (request, reply) => {
    const body = skuList.safeParse(readJson(request))
    if (!body.success) return reply.code(422).send(adminProblems(body.error))
    await unknownSkus.set([...new Set([...unknownSkus.get(), ...body.data.skus])])
    return { skus: unknownSkus.get() }
  })
  app.delete('/admin/unknown-skus', guarded, async (request, reply) => {
    const body = optionalBody(request, skuList)
    if (!body.success) return reply.code(422).send(adminProblems(body.error))
    const { data } = body
    await unknownSkus.set(data === undefined ? [] : unknownSkus.get().filter((sku) => !data.skus.includes(sku)))
    return { skus: unknownSkus.get() }
  })
  app.get('/admin/refuse-references', guarded, async () => ({ references: refusedReferences.get() }))
  app.post('/admin/refuse-references', guarded, async (request, reply) => {
    const body = refusals.safeParse(readJson(request))
    if (!body.success) return reply.code(422).send(adminProblems(body.error))
    const { references, status, message } = body.data
    const others = refusedReferences.get().filter((one) => !references.includes(one.reference))
    await refusedReferences.set([...others, ...references.map((reference) => ({ reference, status, message }))])
    return { references: refusedReferences.get() }
  })
  app.delete('/admin/refuse-references', guarded, async (request, reply) => {
    const body = optionalBody(request, referenceList)
    if (!body.success) return reply.code(422).send(adminProblems(body.error))
    const { data } = body
    await refusedReferences.set(data === undefined ? [] : refusedReferences.get().filter((one) => !data.references.includes(one.reference)))
    return { references: refusedReferences.get() }
  })
}

function addSettingKnobs(mock: ParisMock): void {
  const { app } = mock
  const guarded = { preHandler: mock.requireAdminKey }
  app.get('/admin/profile', guarded, async () => mock.behaviour())
  app.put('/admin/profile', guarded, async (request, reply) => {
    const body = behaviourChange.safeParse(readJson(request))
    if (!body.success) return reply.code(422).send(adminProblems(body.error))
    return mock.changeBehaviour(present(body.data))
  })
  app.get('/admin/webhooks', guarded, async () => shownWebhooks(mock))
  app.put('/admin/webhooks', guarded, async (request, reply) => {
    const body = webhookChange.safeParse(readJson(request))
    if (!body.success) return reply.code(422).send(adminProblems(body.error))
    mock.changeWebhookSettings(present(body.data))
    return shownWebhooks(mock)
  })
  app.delete('/admin/webhooks', guarded, async () => {
    await mock.webhookUrls.set([])
    return shownWebhooks(mock)
  })
  app.post('/admin/rotate-key', guarded, async (request, reply) => {
    const body = newKey.safeParse(readJson(request))
    if (!body.success) return reply.code(422).send(adminProblems(body.error))
    await mock.apiKeySha256.set(sha256(body.data.key))
    return { rotated: true }
  })
  app.delete('/admin/rotate-key', guarded, async () => {
    await mock.apiKeySha256.set(mock.startApiKeySha256)
    return { rotated: false }
  })
}

/** Settings and URLs, without the secrets. */
function shownWebhooks(mock: ParisMock): object {
  const { standardWebhooks, standardSecrets, retryDelaysMs, timeoutMs } = mock.webhookSettings()
  return { urls: mock.webhookUrls.get(), standardWebhooks, standardSecrets: standardSecrets.length, retryDelaysMs, timeoutMs }
}

function present<T extends object>(change: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}

/** No body at all is `undefined`; a body that is not JSON is a problem like any other. */
function optionalBody<T>(request: FastifyRequest, schema: z.ZodType<T>): z.ZodSafeParseResult<T | undefined> {
  return rawBody(request).length === 0 ? { success: true, data: undefined } : schema.safeParse(readJson(request))
}

function authorOf(request: FastifyRequest): { by: 'admin'; requestId: string | null } {
  return { by: 'admin', requestId: requestIdOf(request) }
}

function unknownOrder(reply: FastifyReply): FastifyReply {
  return reply.code(404).send({ detail: 'order not found' })
}
