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
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, MELI_SIM_PORT: '0', MELI_SIM_LEDGER_PATH: join(folder, 'l.jsonl'), ...env },
  })
  const output = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (output.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output.err += chunk.toString()))
  const ended = once(child, 'exit').then(([code]: unknown[]) => code)
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })
  return { child, output, ended }
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
