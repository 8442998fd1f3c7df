import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openLedger } from './ledger.ts'

const stock = (sku: string) => ({ kind: 'stock', sku, requestId: null, by: 'client', stock: { qty: 1 } }) as const

describe('ledger', () => {
  let folder: string
  let path: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ledger-'))
    path = join(folder, 'deep', 'one.ledger.jsonl')
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  test('numbers appends in order and has each on disk when append resolves', async () => {
    const ledger = await openLedger(path)
    const numbers = await Promise.all(['A', 'B', 'C'].map((sku) => ledger.append(stock(sku))))
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
    expect(numbers).toEqual([1, 2, 3])
    expect(lines.map((line) => (JSON.parse(line) as { sku: string }).sku)).toEqual(['A', 'B', 'C'])
    expect(ledger.entries().map((entry) => entry.seq)).toEqual([1, 2, 3])
    await ledger.close()
  })

  test('replays the file and goes on with the next number', async () => {
    const first = await openLedger(path)
    await first.append(stock('A'))
    await first.close()
    const second = await openLedger(path)
    expect(second.entries()).toMatchObject([{ seq: 1, kind: 'stock', sku: 'A' }])
    expect(await second.append(stock('B'))).toBe(2)
    await second.close()
  })

  test.each(['{"kind":"stock","seq":2,"sk', 'garbage\n'])('drops a torn last line: %j', async (torn) => {
    const first = await openLedger(path)
    await first.append(stock('A'))
    await first.close()
    await appendFile(path, torn)
    const second = await openLedger(path)
    expect(second.entries()).toHaveLength(1)
    await second.append(stock('B'))
    await second.close()
    const third = await openLedger(path)
    expect(third.entries()).toMatchObject([{ sku: 'A' }, { seq: 2, sku: 'B' }])
    await third.close()
  })

  test('names the line that is damaged in the middle', async () => {
    const first = await openLedger(path)
    await first.append(stock('A'))
    await first.close()
    await writeFile(path, `nonsense\n${await readFile(path, 'utf8')}`)
    await expect(openLedger(path)).rejects.toThrow(/line 1 is not a ledger entry/)
  })

  test('finishes what was appended before close and refuses what comes after', async () => {
    const ledger = await openLedger(path)
    const pending = ledger.append(stock('A'))
    await ledger.close()
    expect(await pending).toBe(1)
    await expect(ledger.append(stock('B'))).rejects.toThrow(/is closed/)
  })
})
