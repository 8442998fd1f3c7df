import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Connected, connectionWords, type Language, type Words } from '../core/connection.ts'
import type { AuthorizationAnswer } from '../flows/connect-account.ts'
import { type RateLimit, rateLimit } from '../rate-limit.ts'
import type { Log } from '../supervise.ts'

export interface CallbackOptions {
  connect: (answer: AuthorizationAnswer) => Promise<Connected>
  log: Log
}

const STATUS: Record<Connected['kind'], number> = {
  connected: 200,
  'invalid-state': 400,
  refused: 400,
  'other-account': 400,
  unanswered: 502,
  unaudited: 503,
}
const RETRY_AFTER_SECONDS = '5'

/** `/oauth/mercadolibre/callback`: where MercadoLibre sends the seller's browser back to. Answers a page, in Spanish where the browser asks for it. */
export async function oauthCallbackRoutes(app: FastifyInstance, { connect, log }: CallbackOptions): Promise<void> {
  const limit = rateLimit({ perSecond: 1, burst: 20 })
  app.addHook('onRequest', async (request, reply) => refuseFlood(limit, request, reply))
  app.setErrorHandler((error, request, reply) => {
    log.error({ err: error }, 'an account could not be connected')
    const words = unavailable(languageOf(request))
    return page(reply.header('retry-after', RETRY_AFTER_SECONDS).code(503), words, languageOf(request))
  })
  // No HEAD beside it: whatever looks ahead at a link would spend the state.
  app.get('/oauth/mercadolibre/callback', { exposeHeadRoute: false }, async (request, reply) => {
    const answer = answerIn(request.query)
    const connected: Connected = answer ? await connect(answer) : { kind: 'invalid-state', why: 'unknown' }
    if (connected.kind === 'unaudited') reply.header('retry-after', RETRY_AFTER_SECONDS)
    return page(reply.code(STATUS[connected.kind]), connectionWords(connected, languageOf(request)), languageOf(request))
  })
}

async function refuseFlood(limit: RateLimit, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  if (limit.take(request.ip, Date.now()) === 'passed') return undefined
  return reply.header('retry-after', '1').code(429).send({ error: 'rate-limited' })
}

const LONGEST_STATE = 200
const LONGEST_CODE = 500

/** Undefined for what MercadoLibre never sends: no state, neither code nor error, a parameter twice, or one of absurd length. */
function answerIn(query: unknown): AuthorizationAnswer | undefined {
  const { state, code, error } = query as Record<string, unknown>
  if (!isText(state, LONGEST_STATE)) return undefined
  if (isText(error, LONGEST_CODE)) return { state, said: { error } }
  return isText(code, LONGEST_CODE) ? { state, said: { code } } : undefined
}

function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= longest
}

function languageOf(request: FastifyRequest): Language {
  return /^\s*es\b/i.test(request.headers['accept-language'] ?? '') ? 'es' : 'en'
}

function unavailable(language: Language): Words {
  return language === 'es'
    ? {
        title: 'El hub no puede responder ahora',
        text: 'No se conectó nada. Vuelva a cargar esta página en unos segundos; si entonces no vale, empiece de nuevo.',
      }
    : {
        title: 'The hub cannot answer now',
        text: 'Nothing was connected. Load this page again in a few seconds; if it is not valid then, start again.',
      }
}

// The address holds a code: no cache may keep it, and no page that is opened from here may be told of it.
function page(reply: FastifyReply, { title, text }: Words, language: Language): FastifyReply {
  return reply
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .header('vary', 'accept-language')
    .type('text/html; charset=utf-8')
    .send(
      `<!doctype html><html lang="${language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
        `<title>${escaped(title)}</title><h1>${escaped(title)}</h1><p>${escaped(text)}</p></html>\n`,
    )
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign] ?? '')
}
