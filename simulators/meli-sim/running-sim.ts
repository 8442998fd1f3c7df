import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import type { LedgerEntry } from '../ledger.ts'
import { startMeliSim } from './meli-sim.ts'
import type { MeliSimOptions } from './meli-sim.ts'

/** A simulator for one test, with the calls that tests make. Closed and deleted when the test ends. */
export interface RunningSim {
  url: string
  ledgerPath: string
  admin(method: string, path: string, body?: unknown): Promise<Reply>
  call(token: string, method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>
  /** Creates the account and gives the app a token for it. */
  connect(userId: number, account?: Record<string, unknown>): Promise<string>
  ledger(): Promise<LedgerEntry[]>
  close(): Promise<void>
}

export interface Reply {
  status: number
  body: Json
  text: string
  headers: Headers
}

interface Json {
  [field: string]: Json
}

/** The elements of a list in a reply; none when there is no list. */
export function list(value: unknown): Json[] {
  return Array.isArray(value) ? (value as Json[]) : []
}

export const SELLER = 3_000_000_111

export async function runSim(options: Partial<MeliSimOptions> = {}): Promise<RunningSim> {
  const folder = options.ledgerPath === undefined ? await mkdtemp(join(tmpdir(), 'meli-sim-')) : null
  const ledgerPath = options.ledgerPath ?? join(folder ?? '', 'ledger.jsonl')
  const sim = await startMeliSim({ ...options, ledgerPath, profile: { searchLagMs: 0, ...options.profile } })
  const close = async () => {
    await sim.close()
    if (folder !== null) await rm(folder, { recursive: true, force: true })
  }
  onTestFinished(close)
  const request = async (method: string, path: string, headers: Record<string, string>, body?: unknown) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' }
    const init = { method, headers: { ...type, ...headers }, ...(body === undefined ? {} : { body: text }), redirect: 'manual' as const }
    return replyOf(await fetch(`${sim.url}${path}`, init))
  }
  const admin: RunningSim['admin'] = (method, path, body) => request(method, `/admin${path}`, { 'x-admin-key': 'change-me' }, body)
  return {
    url: sim.url,
    ledgerPath,
    admin,
    call: (...[token, method, path, body, headers]) => request(method, path, { authorization: `Bearer ${token}`, ...headers }, body),
    async connect(userId, account = {}) {
      await admin('POST', '/accounts', { user_id: userId, ...account })
      const granted = await admin('POST', `/accounts/${userId}/grant`)
      return String(granted.body.access_token)
    },
    ledger: async () => (await admin('GET', '/ledger')).body.entries as unknown as LedgerEntry[],
    close: () => sim.close(),
  }
}

/** A form to `POST /oauth/token`, with the default app unless told. */
export async function requestToken(sim: RunningSim, fields: Record<string, string>): Promise<Reply> {
  const body = new URLSearchParams({ client_id: '1234567890123456', client_secret: 'change-me', ...fields })
  return replyOf(await fetch(`${sim.url}/oauth/token`, { method: 'POST', body }))
}

interface Received {
  body: string
  headers: IncomingHttpHeaders
  json: Json
}

/** A callback that notes what it gets and answers what `answer` says (default 200). */
export async function callbackServer(
  answer: (count: number) => number | 'hang' = () => 200,
): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8')
      received.push({ body, headers: request.headers, json: body.startsWith('{') ? (JSON.parse(body) as Json) : {} })
      const status = answer(received.length)
      if (status !== 'hang') response.writeHead(status).end('ok')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/mercadolibre/secret`, received }
}

/** Waits for a condition instead of for a time; fails naming it after ten seconds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`never came: ${what}`)
    await wait(10)
  }
}

async function replyOf(response: Response): Promise<Reply> {
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') === true && text !== ''
  return { status: response.status, body: isJson ? (JSON.parse(text) as Json) : {}, text, headers: response.headers }
}
