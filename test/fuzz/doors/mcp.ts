import { PassThrough } from 'node:stream'
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'
import { ROLE_SCOPES } from '../../../src/apps/mcp-server/principal.ts'
import { mcpServerFactory } from '../../../src/apps/mcp-server/server.ts'
import { tools } from '../../../src/apps/mcp-server/tools.ts'
import { hmacPlanSeal } from '../../../src/drivers/plan-seal.ts'
import { postgresAudit } from '../../../src/drivers/postgres/audit.ts'
import { postgresDeadLetters } from '../../../src/drivers/postgres/dead-letters.ts'
import { postgresFailedOrders } from '../../../src/drivers/postgres/failed-orders.ts'
import { postgresOrderTrace } from '../../../src/drivers/postgres/order-trace.ts'
import { connect } from '../../../src/drivers/postgres/pool.ts'
import { postgresSyncMetrics } from '../../../src/drivers/postgres/sync-metrics.ts'
import { NOT_IN_QUARANTINE } from '../../../src/flows/reread-quarantined.ts'
import { systemClock } from '../../../src/drivers/system-clock.ts'
import { cloneDatabase } from '../../support/database.ts'
import { holdsTight } from '../content.ts'
import { Breach, type Door, holds, type Input, type Judgement, type OpenDoor, sample } from '../door.ts'

const SEAL = Buffer.alloc(32, 3)
const ARGUMENTS: Record<string, Record<string, unknown>> = {
  drain_dlq: { dry_run: true, marketplace: 'paris', cause: 'sku-unknown', since: '7d', action: 'archive', reason: 'why' },
  find_failed_orders: { since: '24h', marketplace: 'mercadolibre:1001', limit: 20 },
  get_dlq_depth: {},
  get_order_status: { order_id: 'ML-98345', response_format: 'concise' },
  get_sla_metrics: { marketplace: 'paris' },
  replay_dlq_message: { outbox_id: 'outbox-17', reason: 'why' },
  retry_failed_sync: { order_id: 'S00042', reason: 'why' },
  trace_order: { order_id: 'ML-98345', response_format: 'detailed' },
}
const message = { jsonrpc: '2.0', id: 'fuzz', method: 'tools/call', params: { name: 'trace_order', arguments: ARGUMENTS.trace_order } }

/** Every tool through the real server on the lines of stdio, over a database. */
export const mcpDoor: Door = {
  name: 'mcp',
  property:
    'Every call is answered, by data of its schema or by an error that names the field; nothing of the inside is told, and the server goes on.',
  samples: [...tools.map((tool) => sample(tool.name, ARGUMENTS[tool.name] ?? {})), sample('message', message)],
  open: openServer,
}

const Reply = z.looseObject({ id: z.unknown(), error: z.unknown().optional(), result: z.unknown().optional() })
const Result = z.looseObject({
  isError: z.boolean().optional(),
  content: z.array(z.looseObject({ text: z.string() })).min(1),
  structuredContent: z.unknown().optional(),
})

async function openServer(): Promise<OpenDoor> {
  const database = await cloneDatabase()
  const pool = connect({ url: database.url, role: 'rosh_operator', max: 4, applicationName: 'fuzz-mcp' })
  const bugs: unknown[] = []
  const audit = postgresAudit(pool)
  const ports = {
    trace: postgresOrderTrace(pool),
    erp: null,
    deadLetters: postgresDeadLetters(pool),
    failed: postgresFailedOrders(pool),
    metrics: postgresSyncMetrics(pool),
    channels: {
      list: () => Promise.resolve(['mercadolibre:1001', 'paris:main', 'odoo'].map((id) => ({ id, marketplace: id.replace(/:.*/, '') }))),
    },
    orders: { replan: () => Promise.resolve(0) },
    reread: () => Promise.resolve(NOT_IN_QUARANTINE),
    inbox: { record: () => Promise.resolve([]) },
    personal: null,
    seal: hmacPlanSeal(SEAL),
    audit,
    // An hour between two calls: the budget of calls is not what is tried here.
    clock: { ...systemClock, stopwatch: () => () => 3_600_000 },
  }
  const principal = { id: 'fuzz', scopes: new Set(ROLE_SCOPES.admin ?? []), via: 'mcp-stdio' as const }
  const deps = { ports, authenticate: () => Promise.resolve(principal), version: '0.0.0', onBug: (error: unknown) => void bugs.push(error) }
  const toServer = new PassThrough()
  const toClient = new PassThrough()
  const served = serveStdio(mcpServerFactory(deps), { transport: new StdioServerTransport(toServer, toClient), onerror: () => {} })
  const line = lineClient(toServer, toClient)
  await line.ask({
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'fuzz', version: '1' } },
  })
  toServer.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
  return {
    judge: async (input) => {
      const judgement = input.target === 'message' ? await judgeMessage(line, input) : await judgeCall(line, input)
      const [bug] = bugs.splice(0)
      if (bug !== undefined)
        throw bug instanceof Error ? new Breach(`a tool failed: ${bug.message}`, { cause: bug }) : new Breach('a tool failed')
      return judgement
    },
    close: async () => {
      await served.close()
      await audit.drain()
      await pool.end()
      await database.drop()
    },
  }
}

interface LineClient {
  write(line: string): void
  /** Answers the reply to this request. */
  ask(request: Record<string, unknown>): Promise<z.infer<typeof Reply>>
  /** Replies that nobody asked for, since the last look. */
  others(): z.infer<typeof Reply>[]
}

function lineClient(out: PassThrough, back: PassThrough): LineClient {
  const waiting = new Map<string, (reply: z.infer<typeof Reply>) => void>()
  const others: z.infer<typeof Reply>[] = []
  let rest = ''
  let next = 0
  back.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('utf8')).split('\n')
    rest = lines.pop() ?? ''
    for (const text of lines.filter(Boolean)) {
      const reply = Reply.parse(JSON.parse(text))
      const wanted = waiting.get(String(reply.id))
      if (wanted) wanted(reply)
      else others.push(reply)
    }
  })
  return {
    write: (text) => void out.write(`${text}\n`),
    ask: (request) =>
      new Promise((resolve, reject) => {
        const id = `ask-${next++}`
        const patience = setTimeout(() => reject(new Breach('no answer within 20 s')), 20_000)
        waiting.set(id, (reply) => {
          clearTimeout(patience)
          waiting.delete(id)
          resolve(reply)
        })
        out.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...request })}\n`)
      }),
    others: () => others.splice(0),
  }
}

async function judgeCall(line: LineClient, { target, bytes }: Input): Promise<Judgement> {
  let given: unknown
  try {
    given = JSON.parse(Buffer.from(bytes).toString('utf8'))
    JSON.stringify(given)
  } catch {
    given = Buffer.from(bytes).toString('utf8')
  }
  return judgeReply(target, given, await line.ask({ method: 'tools/call', params: { name: target, arguments: given } }))
}

function judgeReply(target: string, given: unknown, reply: z.infer<typeof Reply>): Judgement {
  holdsTight(JSON.stringify(reply), [SEAL.toString('base64url')], 'the answer')
  if (reply.error !== undefined) {
    holds(
      typeof given !== 'object' || given === null || Array.isArray(given),
      'a call with an object of arguments is an error of the protocol',
    )
    return 'refused'
  }
  const { isError, content, structuredContent } = Result.parse(reply.result)
  const tool = tools.find(({ name }) => name === target)
  if (!isError) {
    const fits = tool?.output.safeParse(structuredContent)
    holds(fits?.success === true, `the answer does not fit its schema at "${fits?.error?.issues[0]?.path.join('.')}"`)
    return 'accepted'
  }
  const text = content[0]?.text ?? ''
  holds(/^[a-z-]+: \S/.test(text), `an error without its code: ${text.slice(0, 60)}`)
  holds(!text.startsWith('internal:') && !text.startsWith('audit-unavailable:'), `answered ${text.slice(0, 60)}`)
  if (text.startsWith('invalid-arguments:')) {
    // An unknown key is told as one word, whatever it was made of.
    const declared = Object.keys(tool?.input.shape ?? {}).some((name) => text.startsWith(`invalid-arguments: ${name}`))
    holds(declared || /^invalid-arguments: \S+(, \S+)*: /.test(text), `the error names no field: ${text.slice(0, 80)}`)
  }
  // Nothing is there to retry in an empty hub: these are the answers to a valid question.
  return /^(not-found-anywhere|unknown|nothing-to-retry)/.test(text) ? 'accepted' : 'refused'
}

async function judgeMessage(line: LineClient, { bytes }: Input): Promise<Judgement> {
  line.write(
    Buffer.from(bytes)
      .toString('utf8')
      .replaceAll(/[\r\n]/g, ' '),
  )
  const alive = await line.ask({ method: 'tools/list', params: {} })
  holds(alive.result !== undefined, 'the server lists no tools any more')
  const told = line.others()
  for (const reply of told) holdsTight(JSON.stringify(reply), [SEAL.toString('base64url')], 'the answer')
  return told.some((reply) => reply.error !== undefined) ? 'refused' : 'accepted'
}
