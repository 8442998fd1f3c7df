import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isRunning, processStart } from './process-table.ts'
import { withStartLock } from './start-lock.ts'

let path: string

beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'rosh-lock-')), 'lock')
})

afterEach(() => {
  rmSync(join(path, '..'), { recursive: true })
})

test('only one holds the lock at a time, and nothing is left of it', async () => {
  let holders = 0
  const work = async () => {
    holders += 1
    expect(holders).toBe(1)
    await new Promise((resolve) => setImmediate(resolve))
    holders -= 1
    return 'done'
  }
  expect(await Promise.all([1, 2, 3, 4].map(() => withStartLock(path, work)))).toEqual(['done', 'done', 'done', 'done'])
  expect(readdirSync(join(path, '..'))).toEqual([])
})

test('a failure gives the lock back', async () => {
  await expect(withStartLock(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(existsSync(path)).toBe(false)
})

test.each([
  ['a process that is gone', () => ({ pid: Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' })) })],
  ['a process whose id another one has now', () => ({ pid: process.pid, startedAt: 'earlier' })],
])('a lock of %s is taken over', async (_, holder) => {
  writeFileSync(path, JSON.stringify(holder()))
  expect(await withStartLock(path, () => Promise.resolve('mine'))).toBe('mine')
})

test('a lock file that is no lock is taken over', async () => {
  writeFileSync(path, 'rubbish')
  expect(await withStartLock(path, () => Promise.resolve('mine'))).toBe('mine')
})

test('a removal that was killed half way blocks nobody for long', async () => {
  writeFileSync(path, JSON.stringify({ pid: 0 }))
  execFileSync('touch', ['-d', '1 minute ago', `${path}.removing`])
  expect(await withStartLock(path, () => Promise.resolve('mine'))).toBe('mine')
})

test('a holder that does not let go is named', async () => {
  writeFileSync(path, JSON.stringify({ pid: process.pid, startedAt: processStart(process.pid) }))
  await expect(withStartLock(path, () => Promise.resolve(), 100)).rejects.toThrow(`process ${process.pid} holds ${path}`)
})

test('a process runs while it has its id and its start time', () => {
  expect(isRunning(process.pid)).toBe(true)
  expect(isRunning(process.pid, processStart(process.pid))).toBe(true)
  expect(isRunning(-1)).toBe(false)
})
