import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LedgerEntry } from '../ledger.ts'
import { startParisMock } from './paris-mock.ts'
import type { ParisMockOptions } from './paris-mock.ts'

export interface Answer {
  status: number
  // Tests look into answers of many shapes.
  body: unknown
}

export interface TestMock {
  url: string
  ledgerPath: string
  /** With `X-API-Key`. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  /** With `X-Admin-Key`. */
  admin(method: string, path: string, body?: unknown): Promise<Answer>
  ledger(): Promise<LedgerEntry[]>
  restart(options?: Partial<ParisMockOptions>): Promise<void>
  close(): Promise<void>
}

/** A mock on a free port with its ledger in a folder of its own, both gone after `close`. */
export async function openTestMock(options: Partial<ParisMockOptions> = {}): Promise<TestMock> {
  const folder = await mkdtemp(join(tmpdir(), 'paris-mock-'))
  const ledgerPath = join(folder, 'paris-mock.ledger.jsonl')
  const settings = {
    apiKey: 'paris-key',
    adminKey: 'admin-key',
    webhookSecret: 'paris-test-secret',
    retryDelaysMs: [1, 1],
    ...options,
    ledgerPath,
  }
  let running = await startParisMock(settings)
  const mock: TestMock = {
    url: running.url,
    ledgerPath,
    call: (method, path, body, headers = { 'x-api-key': 'paris-key' }) => send(`${mock.url}${path}`, { method, body, headers }),
    admin: (method, path, body) => send(`${mock.url}/admin${path}`, { method, body, headers: { 'x-admin-key': 'admin-key' } }),
    ledger: () => readLedger(ledgerPath),
    async restart(changes = {}) {
      await running.close()
      running = await startParisMock({ ...settings, ...changes })
      mock.url = running.url
    },
    async close() {
      await running.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
  return mock
}

export async function readLedger(path: string): Promise<LedgerEntry[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as LedgerEntry)
}

export async function send(url: string, request: { method: string; body: unknown; headers: Record<string, string> }): Promise<Answer> {
  const body = request.body === undefined || typeof request.body === 'string' ? request.body : JSON.stringify(request.body)
  const reply = await fetch(url, {
    method: request.method,
    headers: { 'content-type': 'application/json', ...request.headers },
    ...(body === undefined ? {} : { body }),
  })
  return { status: reply.status, body: JSON.parse(await reply.text()) as unknown }
}

export interface TestReceiver {
  url: string
  received: { headers: IncomingHttpHeaders; body: string }[]
  /** Statuses of the next answers; 200 once they are used up. */
  answers: number[]
  close(): Promise<void>
}

export async function openTestReceiver(): Promise<TestReceiver> {
  const received: TestReceiver['received'] = []
  const answers: number[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString('utf8') })
      response.writeHead(answers.shift() ?? 200).end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/paris`,
    received,
    answers,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
