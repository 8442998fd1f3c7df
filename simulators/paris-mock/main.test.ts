import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readLedger, send } from './test-client.ts'

const entryPoint = fileURLToPath(new URL('./main.ts', import.meta.url))
const headers = { 'x-api-key': 'change-me' }
const order = (reference: string) => ({ buyer: 'Ana', items: [{ sku: 'SKU-1', qty: 1 }], external_ref: reference })

describe('the process of paris-mock', () => {
  let folder: string
  let ledgerPath: string
  const children: ChildProcess[] = []
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'paris-main-'))
    ledgerPath = join(folder, 'ledger.jsonl')
  })
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })

  function run(environment: Record<string, string> = {}): ChildProcess {
    const env = { PATH: process.env['PATH'] ?? '', PARIS_MOCK_PORT: '0', PARIS_MOCK_DB_PATH: ledgerPath, ...environment }
    const child = spawn(process.execPath, [entryPoint], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    children.push(child)
    return child
  }

  async function started(child: ChildProcess): Promise<string> {
    const [line] = (await once(child.stdout!, 'data')) as [Buffer]
    return `http://127.0.0.1:${(JSON.parse(line.toString()) as { listening: number }).listening}`
  }

  async function failure(child: ChildProcess): Promise<{ code: number; stderr: string }> {
    let stderr = ''
    child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    const [code] = (await once(child, 'close')) as [number]
    return { code, stderr }
  }

  test('every answered order survives kill -9, and the restarted mock knows its reference', async () => {
    const first = run()
    let url = await started(first)
    const answered = await Promise.all(
      Array.from({ length: 40 }, (_, n) => send(`${url}/orders`, { method: 'POST', body: order(`odoo-${n}`), headers })),
    )
    first.kill('SIGKILL')
    await once(first, 'close')
    url = await started(run())
    for (const { body } of answered) {
      const { id } = body as { id: string }
      expect(await send(`${url}/orders/${id}`, { method: 'GET', body: undefined, headers })).toEqual({ status: 200, body })
    }
    expect((await send(`${url}/orders`, { method: 'POST', body: order('odoo-0'), headers })).body).toEqual(answered[0]!.body)
    expect((await send(`${url}/orders`, { method: 'POST', body: order('odoo-new'), headers })).body).toMatchObject({ id: 'p-41' })
    expect((await readLedger(ledgerPath)).filter((entry) => entry.kind === 'order')).toHaveLength(41)
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('%s ends it with 0, also while a request hangs', async (signal) => {
    const child = run()
    const url = await started(child)
    await send(`${url}/admin/faults`, { method: 'PUT', body: [{ fault: 'hang' }], headers: { 'x-admin-key': 'change-me' } })
    const hanging = send(`${url}/orders`, { method: 'GET', body: undefined, headers }).catch(() => 'cut')
    child.kill(signal)
    expect(await hanging).toBe('cut')
    expect(await once(child, 'close')).toEqual([0, null])
  })

  test('every wrong setting is named at once, exit code 2', async () => {
    const { code, stderr } = await failure(run({ PARIS_MOCK_PORT: 'x', PARIS_MOCK_PROFILE: 'kind', PARIS_MOCK_WEBHOOK_URLS: 'nowhere' }))
    expect(code).toBe(2)
    for (const name of ['PARIS_MOCK_PORT', 'PARIS_MOCK_PROFILE', 'PARIS_MOCK_WEBHOOK_URLS']) expect(stderr).toContain(name)
  })

  test('the default key is refused beyond loopback', async () => {
    const { code, stderr } = await failure(run({ PARIS_MOCK_HOST: '0.0.0.0', PARIS_MOCK_PROFILE: 'kind' }))
    expect(code).toBe(2)
    expect(stderr).toContain('SIMULATOR_KEY: the default key is for loopback only')
    expect(stderr).toContain('PARIS_MOCK_PROFILE')
  })

  test('a busy port is named with its variable, exit code 2', async () => {
    const busy = createServer().listen(0, '127.0.0.1')
    await once(busy, 'listening')
    const { port } = busy.address() as AddressInfo
    const { code, stderr } = await failure(run({ PARIS_MOCK_PORT: String(port) }))
    busy.close()
    expect([code, stderr]).toEqual([2, expect.stringContaining(`port ${port} is in use: stop what listens there or set PARIS_MOCK_PORT`)])
  })
})
