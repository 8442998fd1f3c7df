import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { WebhookReader } from '../../src/ports/marketplace.ts'
import { type Door, sample } from './door.ts'
import { DOORS } from './doors.ts'
import { READERS, webhooksDoor } from './doors/webhooks.ts'
import { FIXTURES, readFixtures, writeFixture } from './fixture.ts'
import { judged, runDoor } from './run-door.ts'
import { shrunk, wordsOf } from './shrink.ts'

const FIXED_SEED = 20_261_125
const freshSeed = 1 + (Date.now() % 2_147_483_647)

describe.each(DOORS)('the door $door.name', ({ door, everyTest }) => {
  test.each([
    ['a fixed seed', FIXED_SEED],
    ['a fresh seed', freshSeed],
  ])('holds its property for mutated inputs of %s', async (_kind, seed) => {
    const { crashes, accepted } = await runDoor(door, { runs: everyTest, seed, mostCrashes: 3 })
    const told = crashes.map(({ error, at, input }) => `${input.target}, input ${at}: ${wordsOf(error)}`)
    expect(told, `again with: npm run fuzz -- --door ${door.name} --seed ${seed} --runs ${everyTest} --keep`).toEqual([])
    expect(accepted).toBeGreaterThanOrEqual(door.samples.length)
  })

  test('holds its property for every input that once broke it', async () => {
    const opened = await door.open()
    const broken: string[] = []
    try {
      for (const { name, input } of readFixtures(FIXTURES, door.name)) {
        await judged(opened, input).catch((error: unknown) => broken.push(`${name}: ${wordsOf(error)}`))
      }
    } finally {
      await opened.close()
    }
    expect(broken).toEqual([])
  })
})

describe('what is planted is found', () => {
  const planted = (spoil: (body: string) => void): Door => {
    const { paris } = READERS
    const reader: WebhookReader = {
      ...paris,
      read: (request) => {
        spoil(Buffer.from(request.body).toString('latin1'))
        return paris.read(request)
      },
    }
    return webhooksDoor({ ...READERS, paris: reader })
  }

  const broke = async (door: Door): Promise<string[]> =>
    (await runDoor(door, { runs: 600, seed: FIXED_SEED, mostCrashes: 1 })).crashes.map(({ error }) => wordsOf(error))

  test('a parser that throws on one odd key, with a small fixture that breaks it again', async () => {
    const door = planted((body) => {
      if (body.includes('"__proto__"')) throw new TypeError('planted')
    })
    const { crashes } = await runDoor(door, { runs: 600, seed: FIXED_SEED, mostCrashes: 1 })
    expect(crashes.map(({ error }) => wordsOf(error))).toEqual(['TypeError: planted'])
    const folder = mkdtempSync(join(tmpdir(), 'fuzz-planted-'))
    try {
      writeFixture(folder, door.name, {
        input: await shrunk(door, crashes[0]!.input, 'TypeError: planted'),
        broke: 'TypeError: planted',
        seed: FIXED_SEED,
      })
      const [fixture] = readFixtures(folder, door.name)
      expect(Buffer.from(fixture!.input.bytes).toString()).toBe('"__proto__"')
      await expect(judged(await door.open(), fixture!.input)).rejects.toThrow('planted')
      await expect(judged(await webhooksDoor().open(), fixture!.input)).resolves.toBe('refused')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('a reader that lets a prototype be changed', async () => {
    const door = planted((body) => {
      if (body.includes('polluted')) (Object.prototype as Record<string, unknown>).polluted = true
    })
    try {
      expect(await broke(door)).toEqual(['Breach: a prototype got a property: polluted'])
    } finally {
      delete (Object.prototype as Record<string, unknown>).polluted
    }
  })

  test('a rejection that nobody waits for', async () => {
    const door: Door = {
      name: 'planted',
      property: 'none',
      samples: [sample('x', {})],
      open: async () => ({
        judge: () => {
          void Promise.reject(new Error('planted aside'))
          return 'accepted'
        },
        close: async () => {},
      }),
    }
    expect(await broke(door)).toEqual(['Error: planted aside'])
  })

  test('an id that loses its last digits', async () => {
    const { mercadolibre } = READERS
    const lossy: WebhookReader = { ...mercadolibre, read: (request) => lossyReading(mercadolibre, request) }
    expect(await broke(webhooksDoor({ ...READERS, mercadolibre: lossy }))).toEqual([
      expect.stringMatching(/^Breach: the order key lost digits/),
    ])
  })

  test('a verifier that takes any signature', async () => {
    const paris = READERS.paris
    const open: WebhookReader = {
      ...paris,
      read: (request) => {
        const reading = paris.read(request)
        return reading.kind === 'refused' && reading.verdict === 'bad-signature' ? { kind: 'events', events: [] } : reading
      },
    }
    expect(await broke(webhooksDoor({ ...READERS, paris: open }))).toEqual(['Breach: a request without a valid proof is accepted'])
  })

  function lossyReading(reader: WebhookReader, request: Parameters<WebhookReader['read']>[0]): ReturnType<WebhookReader['read']> {
    const reading = reader.read(request)
    if (reading.kind === 'refused') return reading
    return {
      kind: 'events',
      events: reading.events.map((e) => ({ ...e, orderKey: e.orderKey === null ? null : `${e.orderKey.slice(0, -2)}00` })),
    }
  }
})
