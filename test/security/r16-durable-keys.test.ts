import type * as Fs from 'node:fs'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { addHomeKey, loadOrCreateSecrets } from '../../src/home.ts'

/** What reached the disk and what only its buffers, in order: a power cut cannot be had in a test. */
const calls: string[] = vi.hoisted(() => [])
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof Fs>()
  const opened = new Map<number, string>()
  const plain = (path: Fs.PathLike): string => basename(String(path)).replace(/\.\d+-[0-9a-f]{8}$/, '.new')
  return {
    ...fs,
    openSync: (...args: Parameters<typeof fs.openSync>): number => {
      const handle = fs.openSync(...args)
      opened.set(handle, plain(args[0]))
      return handle
    },
    fsyncSync: (handle: number): void => {
      calls.push(`sync ${opened.get(handle)}`)
      fs.fsyncSync(handle)
    },
    renameSync: (from: string, to: string): void => {
      calls.push(`${plain(from)} becomes ${plain(to)}`)
      fs.renameSync(from, to)
    },
    linkSync: (from: string, to: string): void => {
      calls.push(`${plain(from)} becomes ${plain(to)}`)
      fs.linkSync(from, to)
    },
  }
})

const home = join(mkdtempSync(join(tmpdir(), 'rosh-durable-')), 'home')
afterAll(() => rmSync(join(home, '..'), { recursive: true }))

// PostgreSQL keeps through a power cut what was wrapped under a key: so must the file that holds the key, before anything is wrapped.
test('secrets and a new key are on disk, file and folder, before anybody gets them', () => {
  const durable = ['sync secrets.json.new', 'secrets.json.new becomes secrets.json', 'sync home']
  loadOrCreateSecrets(home)
  expect(calls.splice(0)).toEqual(durable)
  addHomeKey(home)
  expect(calls.splice(0)).toEqual(durable)
})
