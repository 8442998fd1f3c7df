import type { IncomingMessage } from 'node:http'
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import helmet from '@fastify/helmet'
import fastify, {
  type FastifyError,
  type FastifyHttpOptions,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RawServerDefault,
} from 'fastify'
import { atMostEvery } from '../at-most-every.ts'
import { bodyBudget } from '../body-budget.ts'
import { BodiesFull, countedBody } from '../counted-body.ts'
import { type HeardRequest, type Received, receiveWebhook, recordRefusal, type Refusal } from '../flows/receive-webhook.ts'
import { type Inbox, InboxFull } from '../ports/inbox.ts'
import type { WebhookReader } from '../ports/marketplace.ts'
import type { Log } from '../supervise.ts'
import { rateLimit, type SourceRate } from '../rate-limit.ts'

/** Who reads what comes to which route; a route without its reader is not there. */
export interface WebhookReaders {
  /** `/webhooks/paris` */
  paris?: WebhookReader
  /** `/webhooks/mercadolibre`, signed by a relay */
  mercadolibreSigned?: WebhookReader
  /** `/webhooks/mercadolibre/<secret>`, MercadoLibre's own notifications */
  mercadolibre?: WebhookReader
  /** `/webhooks/odoo/<secret>` */
  odoo?: WebhookReader
}

export interface Check {
  name: string
  ok: boolean
}

export interface HealthChecks {
  /** What must hold to take requests: the database takes writes. */
  ready(): Promise<Check[]>
  /** Everything that can be told, the other systems included. */
  deep(): Promise<Check[]>
}

export interface ReceiverOptions {
  readers: WebhookReaders
  inbox: Inbox
  checks: HealthChecks
  log: Log
  /** Per source address; default 200 a second, 1,000 at once. */
  rate?: SourceRate
  /** Addresses and CIDR blocks that may send webhooks; absent: any. */
  allowedSources?: readonly string[]
}

const MAX_BODY_BYTES = 1024 * 1024
const RETRY_AFTER_SECONDS = '5'

/** Limits of a public listener: they belong to the server, so whoever mounts `receiverRoutes` on a listener of its own uses them too. */
const LISTENER_LIMITS = {
  bodyLimit: MAX_BODY_BYTES,
  requestTimeout: 15_000,
  connectionTimeout: 30_000,
  keepAliveTimeout: 10_000,
  maxRequestsPerSocket: 10_000,
  http: { maxHeaderSize: 16 * 1024, headersTimeout: 10_000, connectionsCheckingInterval: 2_000 },
  logger: false,
  // Said by the routes themselves, with Retry-After.
  return503OnClosing: false,
  // A person who gives a sender the address may end it with a slash.
  routerOptions: { maxParamLength: 200, ignoreTrailingSlash: true },
} satisfies FastifyHttpOptions<RawServerDefault>

const MAX_CONNECTIONS = 4_000

/** The webhook listener by itself. `trustProxyHops`: how many proxies in front may name the source; 0 takes the socket's own address. */
export function buildReceiver(options: ReceiverOptions & { trustProxyHops: number }): FastifyInstance {
  const app = fastify({
    ...LISTENER_LIMITS,
    trustProxy: (_address: string, hop: number) => hop < options.trustProxyHops,
    // A path that cannot be decoded would be repeated in the default answer, its secret included.
    frameworkErrors: (_error, _request, reply: FastifyReply) => void reply.code(400).send({ error: 'malformed' }),
  })
  app.server.maxConnections = MAX_CONNECTIONS
  answerUnknownUnread(app)
  // Fastify's own answer repeats the message of the error.
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    const status = error.statusCode ?? 500
    if (status >= 400 && status < 500) return reply.code(status).send({ error: 'malformed' })
    options.log.error({ err: error }, 'a request failed')
    return reply.code(500).send({ error: 'internal' })
  })
  void app.register(helmet)
  void app.register(receiverRoutes, options)
  return app
}

// Whatever is sent to no route of ours is not found, whatever its bytes: they are not waited for, or anybody could have us hold them.
function answerUnknownUnread(app: FastifyInstance): void {
  const notFound = (reply: FastifyReply): FastifyReply => reply.code(404).send({ error: 'not-found' })
  app.removeAllContentTypeParsers()
  app.setNotFoundHandler((_request, reply) => notFound(reply))
  app.addHook('preParsing', async (request, reply) => {
    if (request.is404) return void notFound(reply.header('connection', 'close'))
  })
}

/** The receiver's routes as a Fastify plugin, for a listener that serves other things too. */
async function receiverRoutes(app: FastifyInstance, options: ReceiverOptions): Promise<void> {
  const { readers, checks } = options
  healthRoutes(app, checks)
  await app.register(async (webhooks) => {
    keepRawBodies(webhooks)
    refuseEarly(webhooks, options)
    countBodies(webhooks)
    webhooks.setErrorHandler((error: FastifyError, request, reply) => answerError(error, { request, reply, options }))
    const routes: [string, WebhookReader | undefined][] = [
      ['/webhooks/paris', readers.paris],
      ['/webhooks/mercadolibre', readers.mercadolibreSigned],
      ['/webhooks/mercadolibre/:secret', readers.mercadolibre],
      ['/webhooks/odoo/:secret', readers.odoo],
    ]
    for (const [url, reader] of routes) {
      if (reader) webhooks.post(url, async (request, reply) => answer(reply, await receiveWebhook(heard(request), reader, options.inbox)))
    }
  })
}

function healthRoutes(app: FastifyInstance, checks: HealthChecks): void {
  app.get('/health', async () => ({ status: 'ok' }))
  app.get('/health/live', async () => ({ status: 'ok' }))
  const ready = atMostEvery(READY_EVERY_MS, () => checks.ready())
  const deep = atMostEvery(DEEP_EVERY_MS, () => checks.deep())
  app.get('/health/ready', async (_request, reply) => answerChecks(reply, await ready()))
  app.get('/health/deep', async (_request, reply) => answerChecks(reply, await deep()))
}

// Anybody who reaches the listener may ask, and each asking costs a connection to the database, the deep one Odoo a request too: the answer is shared,
// and kept for a moment.
const READY_EVERY_MS = 1_000
const DEEP_EVERY_MS = 5_000

async function answerChecks(reply: FastifyReply, checks: Check[]): Promise<FastifyReply> {
  const ok = checks.every((check) => check.ok)
  return reply.code(ok ? 200 : 503).send({ status: ok ? 'ok' : 'failing', checks: checks.map(({ name, ok }) => ({ name, ok })) })
}

// The signature is of the bytes, so nothing may parse them before; whatever their content type says, they are read whole and kept.
function keepRawBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, (_request, body, done) => done(null, body))
  app.decorateRequest('contentTypeAsSent', undefined)
  app.addHook('onRequest', async (request) => {
    request.contentTypeAsSent = request.headers['content-type']
    // Fastify refuses a content type that it cannot read before it reads the body, and then the bytes would be lost.
    if (request.contentTypeAsSent !== undefined) request.raw.headers['content-type'] = 'application/octet-stream'
  })
}

declare module 'fastify' {
  interface FastifyRequest {
    contentTypeAsSent: string | undefined
  }
}

function refuseEarly(app: FastifyInstance, { inbox, rate, allowedSources }: ReceiverOptions): void {
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  // A sender that keeps its connection would keep the server from ending.
  app.addHook('onSend', async (_request, reply) => {
    if (closing) reply.header('connection', 'close')
  })
  const limit = rateLimit(rate ?? { perSecond: 200, burst: 1_000 })
  const isAllowed = sourceFilter(allowedSources)
  app.addHook('onRequest', async (request, reply) => {
    if (closing) return unavailable(reply)
    const passage = limit.take(request.ip, Date.now())
    if (passage !== 'passed') {
      if (passage === 'limited') await recordRefusal(heard(request), 'rate-limited', inbox)
      return reply.header('retry-after', '1').code(429).send({ error: 'rate-limited' })
    }
    if (isAllowed(request.ip)) return
    await recordRefusal(heard(request), 'bad-signature', inbox)
    return reply.code(401).send({ error: 'bad-signature' })
  })
}

/** What all bodies on their way and being stored may hold, and what one source may: room for some 16,000 webhooks of the usual size from it at once. */
const BODY_LIMITS = { most: 64 * 1024 * 1024, mostPerSource: 16 * 1024 * 1024 }

// Neither the cap of one body nor the bucket bounds what slow senders make us hold together.
function countBodies(app: FastifyInstance): void {
  const budget = bodyBudget(BODY_LIMITS)
  app.addHook('preParsing', async ({ ip }, reply, payload) => {
    let held = 0
    reply.raw.once('close', () => {
      budget.give(ip, held)
      held = 0
    })
    const take = (bytes: number): boolean => {
      const isTaken = budget.take(ip, bytes)
      if (isTaken) held += bytes
      return isTaken
    }
    return countedBody(payload as IncomingMessage, { take, most: MAX_BODY_BYTES })
  })
}

function sourceFilter(allowed: readonly string[] | undefined): (ip: string) => boolean {
  if (allowed === undefined) return () => true
  const blocks = new BlockList()
  for (const entry of allowed) {
    const [address = '', prefix] = entry.split('/')
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    const bits = prefix === undefined ? (family === 'ipv4' ? 32 : 128) : Number(prefix)
    if (!isIPv4(address) && !isIPv6(address)) throw new Error(`"${entry}" is neither an address nor a CIDR block`)
    blocks.addSubnet(address, bits, family)
  }
  return (ip) => (isIPv4(ip) && blocks.check(ip, 'ipv4')) || (isIPv6(ip) && blocks.check(ip, 'ipv6'))
}

function heard(request: FastifyRequest): HeardRequest {
  const { secret } = (request.params ?? {}) as { secret?: string }
  const source = request.routeOptions.url?.split('/')[2] ?? ''
  const headers = Object.entries({ ...request.headers, 'content-type': request.contentTypeAsSent })
  return {
    path: secret === undefined ? source : `${source}/${secret}`,
    headers: Object.fromEntries(headers.flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))),
    body: request.body instanceof Uint8Array ? request.body : new Uint8Array(),
    sourceIp: request.ip,
    receivedAtMs: Date.now(),
  }
}

const STATUS: Record<Refusal, number> = {
  'bad-signature': 401,
  'stale-timestamp': 401,
  malformed: 400,
  'too-large': 413,
  'rate-limited': 429,
}

function answer(reply: FastifyReply, received: Received): FastifyReply {
  switch (received.kind) {
    case 'stored':
      return reply.send({ event_id: received.eventId, duplicate: received.duplicate })
    case 'unreadable':
      return reply.send({ event_id: null, duplicate: false })
    case 'refused':
      return reply.code(STATUS[received.verdict]).send({ error: received.verdict, reason: received.reason })
  }
}

interface Failed {
  request: FastifyRequest
  reply: FastifyReply
  options: ReceiverOptions
}

async function answerError(error: FastifyError, failed: Failed): Promise<FastifyReply> {
  const { request, reply, options } = failed
  const status = error.statusCode ?? 500
  if (error instanceof InboxFull || status < 400 || status >= 500) return answerFailure(error, failed)
  const verdict = status === 413 ? 'too-large' : 'malformed'
  try {
    await recordRefusal(heard(request), verdict, options.inbox)
  } catch (full) {
    return answerFailure(full, failed)
  }
  return reply.code(STATUS[verdict]).send({ error: verdict })
}

// Nothing was stored, so nothing is acknowledged and the sender tries again. A bug is answered alike: a 500 would only say less.
function answerFailure(error: unknown, { reply, options }: Failed): FastifyReply {
  if (error instanceof InboxFull || error instanceof BodiesFull) options.log.warn({ err: error }, 'a webhook was not stored')
  else options.log.error({ err: error }, 'a webhook failed')
  return unavailable(reply)
}

function unavailable(reply: FastifyReply): FastifyReply {
  return reply.header('retry-after', RETRY_AFTER_SECONDS).code(503).send({ error: 'unavailable' })
}
