import { expect, test } from 'vitest'
import { grouped, type GroupOptions, QueueFull } from './group.ts'

function dataError(): Error {
  return Object.assign(new Error('invalid input'), { code: '22P05' })
}

function aGroup(run: (batch: string[]) => Promise<string[]>, options: Partial<GroupOptions<string, string>> = {}) {
  return grouped<string, string>({
    run,
    flights: 1,
    maxRows: 200,
    maxBytes: 1_000,
    maxWaitingRows: 1_000,
    sizeOf: (s) => s.length,
    ...options,
  })
}

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

test('rows of one turn share one batch and each gets its own answer', async () => {
  const batches: string[][] = []
  const group = aGroup(async (batch) => {
    batches.push(batch)
    return batch.map((s) => s.toUpperCase())
  })
  expect(await Promise.all(['a', 'b', 'c'].map(group.add))).toEqual(['A', 'B', 'C'])
  expect(batches).toEqual([['a', 'b', 'c']])
})

test('what comes while a flight is under way is the next batch, and flights stay within their number', async () => {
  const first = gate()
  const batches: string[][] = []
  const group = aGroup(async (batch) => {
    batches.push(batch)
    if (batches.length === 1) await first.opened
    return batch
  })
  const a = group.add('a')
  await new Promise((resolve) => setImmediate(resolve))
  const rest = [group.add('b'), group.add('c')]
  await new Promise((resolve) => setImmediate(resolve))
  expect(batches).toEqual([['a']])
  first.open()
  await Promise.all([a, ...rest])
  expect(batches).toEqual([['a'], ['b', 'c']])
})

test('a batch is cut by rows and by bytes, and a row larger than the cap goes alone', async () => {
  const sizes: number[] = []
  const group = aGroup(
    async (batch) => {
      sizes.push(batch.length)
      return batch
    },
    { maxRows: 2, maxBytes: 10 },
  )
  await Promise.all(['a', 'b', 'c', 'x'.repeat(50), 'd'].map(group.add))
  expect(sizes).toEqual([2, 1, 1, 1])
})

test('a bad neighbour fails alone', async () => {
  const batches: string[][] = []
  const group = aGroup(async (batch) => {
    batches.push(batch)
    if (batch.includes('bad')) throw dataError()
    return batch
  })
  const settled = await Promise.allSettled(['a', 'bad', 'c'].map(group.add))
  expect(settled.map((s) => s.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(batches).toEqual([['a', 'bad', 'c'], ['a'], ['bad'], ['c']])
})

test('an error that is not of the data fails the whole group once', async () => {
  let runs = 0
  const group = aGroup(async () => {
    runs += 1
    throw new Error('Connection terminated unexpectedly')
  })
  const settled = await Promise.allSettled(['a', 'b'].map(group.add))
  expect(settled.map((s) => s.status)).toEqual(['rejected', 'rejected'])
  expect(runs).toBe(1)
})

test('a full queue refuses at once, by rows and by bytes', async () => {
  const held = gate()
  const group = aGroup(async (batch) => held.opened.then(() => batch), { maxWaitingRows: 2, maxWaitingBytes: 5 })
  const taken = [group.add('a')]
  await new Promise((resolve) => setImmediate(resolve))
  taken.push(group.add('bb'))
  await expect(group.add('cccc')).rejects.toBeInstanceOf(QueueFull)
  taken.push(group.add('cc'))
  await expect(group.add('')).rejects.toBeInstanceOf(QueueFull)
  held.open()
  expect(await Promise.all(taken)).toEqual(['a', 'bb', 'cc'])
  expect(await group.add('again')).toBe('again')
})

test('drain resolves only when nothing waits and nothing is under way', async () => {
  const held = gate()
  const group = aGroup(async (batch) => held.opened.then(() => batch), { maxRows: 1 })
  const taken = [group.add('a'), group.add('b')]
  let drained = false
  const draining = group.drain().then(() => {
    drained = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(drained).toBe(false)
  held.open()
  await draining
  await Promise.all(taken)
  await group.drain()
})
