import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))

async function start(env: Record<string, string>) {
  const folder = await mkdtemp(join(tmpdir(), 'meli-sim-'))
  const ledgerPath = env.MELI_SIM_LEDGER_PATH ?? join(folder, 'l.jsonl')
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, MELI_SIM_PORT: '0', MELI_SIM_LEDGER_PATH: ledgerPath, ...env },
  })
  const output = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (output.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output.err += chunk.toString()))
  const ended = once(child, 'exit').then(([code]: unknown[]) => code)
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })
  return { child, output, ended, ledgerPath }
}

test('prints where it listens, and ends cleanly on SIGTERM', async () => {
  const { child, output, ended } = await start({})
  await once(child.stdout, 'data')
  const { listening } = JSON.parse(output.out) as { listening: number }
  const health = await fetch(`http://127.0.0.1:${listening}/admin/health`, { headers: { 'x-admin-key': 'change-me' } })
  expect(await health.json()).toMatchObject({ status: 'ok', name: 'meli-sim' })
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
})

test('what was answered before a kill -9 is there after it', async () => {
  const first = await start({})
  await once(first.child.stdout, 'data')
  const admin = { 'x-admin-key': 'change-me' }
  const post = async (path: string, body: unknown, headers: Record<string, string>) => {
    const { listening } = JSON.parse(first.output.out) as { listening: number }
    const reply = await fetch(`http://127.0.0.1:${listening}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    return (await reply.json()) as Record<string, unknown>
  }
  await post('/admin/accounts', { user_id: 7 }, admin)
  const authorization = `Bearer ${String((await post('/admin/accounts/7/grant', {}, admin)).access_token)}`
  const order = {
    external_reference: 'S1',
    currency_id: 'CLP',
    total_amount: 10,
    order_items: [{ seller_sku: 'A', quantity: 1, unit_price: 10 }],
  }
  const created = await post('/orders', order, { authorization })
  first.child.kill('SIGKILL')
  await first.ended
  const second = await start({ MELI_SIM_LEDGER_PATH: first.ledgerPath })
  await once(second.child.stdout, 'data')
  const { listening } = JSON.parse(second.output.out) as { listening: number }
  const read = await fetch(`http://127.0.0.1:${listening}/orders/${String(created.id)}`, { headers: { authorization } })
  expect(await read.json()).toEqual(created)
})

test('names every wrong variable at once', async () => {
  const { output, ended } = await start({ ML_CLIENT_ID: 'abc', MELI_SIM_PROFILE: 'kind', MELI_SIM_HOST: '0.0.0.0' })
  expect(await ended).toBe(2)
  for (const name of ['ML_CLIENT_ID', 'MELI_SIM_PROFILE']) expect(output.err).toContain(name)
})

test('refuses its default secrets off loopback', async () => {
  const { output, ended } = await start({ MELI_SIM_HOST: '0.0.0.0' })
  expect(await ended).toBe(2)
  for (const name of ['SIMULATOR_KEY', 'ML_CLIENT_SECRET']) expect(output.err).toContain(name)
})

test('names a busy port', async () => {
  const busy = createServer().listen(0, '127.0.0.1')
  await once(busy, 'listening')
  onTestFinished(() => void busy.close())
  const { port } = busy.address() as AddressInfo
  const { output, ended } = await start({ MELI_SIM_PORT: String(port) })
  expect(await ended).toBe(2)
  expect(output.err).toContain(`port ${port} is in use`)
})
