import { expect, test } from 'vitest'
import { Hands } from './hands.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('work is taken together with other work', async () => {
  const hands = new Hands()
  const held = await hands.join()
  expect(await hands.together(() => Promise.resolve('both at once'))).toBe('both at once')
  held.leave()
})

test('alone waits for what is in hand, and nothing is taken up until it has ended', async () => {
  const hands = new Hands()
  const held = await hands.join()
  const told: string[] = []
  const ended = Promise.withResolvers<void>()
  const alone = hands.alone(async () => {
    told.push('alone')
    await ended.promise
    told.push('ended')
  })
  const after = hands.together(async () => void told.push('together'))
  await turn()
  expect(told).toEqual([])
  held.leave()
  held.leave() // twice is once
  await turn()
  expect(told).toEqual(['alone'])
  ended.resolve()
  await Promise.all([alone, after])
  expect(told).toEqual(['alone', 'ended', 'together'])
})

test('what was taken up with work in hand never waits, and is waited for', async () => {
  const hands = new Hands()
  const held = await hands.join()
  let ran = false
  const alone = hands.alone(async () => void (ran = true))
  const more = held.more()
  held.leave()
  await turn()
  expect(ran).toBe(false)
  more.leave()
  await alone
  expect(ran).toBe(true)
})

test('two that want to be alone take turns, before anybody else', async () => {
  const hands = new Hands()
  const told: string[] = []
  const one = (name: string) => async (): Promise<void> => {
    told.push(`${name} begins`)
    await turn()
    told.push(`${name} ends`)
  }
  const held = await hands.join()
  const all = [hands.alone(one('a')), hands.together(one('other')), hands.alone(one('b'))]
  held.leave()
  await Promise.all(all)
  expect(told).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'other begins', 'other ends'])
})

test('long work is told to give way, and the next one is not', async () => {
  const hands = new Hands()
  let alone: Promise<void> | undefined
  await hands.together(async (giveWay) => {
    expect(giveWay.aborted).toBe(false)
    alone = hands.alone(() => Promise.resolve())
    await turn()
    expect(giveWay.aborted).toBe(true)
  })
  await alone
  await hands.together(async (giveWay) => expect(giveWay.aborted).toBe(false))
})

test('work that throws leaves the hands free', async () => {
  const hands = new Hands()
  await expect(hands.together(() => Promise.reject(new Error('bug')))).rejects.toThrow('bug')
  await expect(hands.alone(() => Promise.reject(new Error('bug')))).rejects.toThrow('bug')
  expect(await hands.alone(() => Promise.resolve('free'))).toBe('free')
})
