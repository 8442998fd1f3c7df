import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { isRunning } from '../../src/drivers/postgres/process-table.ts'
import { beginRun, endRun } from './test-server.ts'

const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

const program = `const { setup } = await import(${JSON.stringify(join(import.meta.dirname, 'global-setup.ts'))})
setup()
const { cloneDatabase } = await import(${JSON.stringify(join(import.meta.dirname, 'database.ts'))})
await cloneDatabase()
const { readFileSync } = await import('node:fs')
const folder = process.env.ROSH_TEST_RUN
console.log(JSON.stringify({ folder, pid: Number(readFileSync(folder + '/postgres/data/postmaster.pid', 'utf8').split('\\n')[0]) }))
setInterval(() => {}, 1000)`

async function anotherRun(): Promise<{ folder: string; pid: number; end(signal: NodeJS.Signals): Promise<void> }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  const started = await new Promise<{ folder: string; pid: number }>((resolve, reject) => {
    child.stdout.once('data', (line: Buffer) => resolve(JSON.parse(line.toString()) as { folder: string; pid: number }))
    child.once('exit', () => reject(new Error('the run ended before it had a server')))
  })
  return {
    ...started,
    end: (signal) => {
      child.kill(signal)
      return exited
    },
  }
}

test('Ctrl-C ends the server of a run and removes its folder', async () => {
  const run = await anotherRun()
  expect(isRunning(run.pid)).toBe(true)
  await run.end('SIGINT')
  expect({ folder: existsSync(run.folder), server: isRunning(run.pid) }).toEqual({ folder: false, server: false })
})

test('what a killed run left is removed by the next one, what a living run has is not', async () => {
  const [killed, living] = await Promise.all([anotherRun(), anotherRun()])
  await killed.end('SIGKILL')
  expect(isRunning(killed.pid)).toBe(true)
  const next = beginRun()
  expect({ folder: existsSync(killed.folder), server: isRunning(killed.pid) }).toEqual({ folder: false, server: false })
  expect({ folder: existsSync(living.folder), server: isRunning(living.pid) }).toEqual({ folder: true, server: true })
  endRun(next)
  await living.end('SIGTERM')
  expect(existsSync(living.folder)).toBe(false)
})

test('a folder that is no run is left alone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rosh-test-run-'))
  endRun(beginRun())
  expect(existsSync(folder)).toBe(true)
  rmSync(folder, { recursive: true })
})
