import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { z } from 'zod'
import { packageRoot } from '../../src/home.ts'
import type { Input } from './door.ts'

export const FIXTURES = join(packageRoot, 'test/fixtures/fuzz')

/** An input that once broke a door. `text` where the bytes are UTF-8, else `base64`; long ones are `gzip`. */
const Fixture = z.strictObject({
  target: z.string(),
  broke: z.string(),
  seed: z.number(),
  text: z.string().optional(),
  base64: z.string().optional(),
  gzip: z.string().optional(),
})

const LONGEST_PLAIN = 1_500

export function writeFixture(folder: string, door: string, { input, broke, seed }: { input: Input; broke: string; seed: number }): string {
  const at = join(folder, door)
  mkdirSync(at, { recursive: true })
  const digest = createHash('sha256').update(`${input.target}\n`).update(input.bytes).digest('hex').slice(0, 12)
  const path = join(at, `${input.target.replace(/[^a-z0-9]+/gi, '-')}-${digest}.json`)
  const fixture = { target: input.target, broke: broke.slice(0, 200).toWellFormed(), seed, ...contentOf(Buffer.from(input.bytes)) }
  writeFileSync(path, `${JSON.stringify(fixture, null, 2)}\n`)
  return path
}

function contentOf(bytes: Buffer): { text: string } | { base64: string } | { gzip: string } {
  const text = bytes.toString('utf8')
  if (bytes.length > LONGEST_PLAIN) return { gzip: gzipSync(bytes, { level: 9 }).toString('base64') }
  return Buffer.from(text, 'utf8').equals(bytes) ? { text } : { base64: bytes.toString('base64') }
}

export interface StoredFixture {
  name: string
  broke: string
  input: Input
}

export function readFixtures(folder: string, door: string): StoredFixture[] {
  const at = join(folder, door)
  if (!existsSync(at)) return []
  return readdirSync(at)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => {
      const { target, broke, text, base64, gzip } = Fixture.parse(JSON.parse(readFileSync(join(at, name), 'utf8')))
      const bytes =
        gzip !== undefined
          ? gunzipSync(Buffer.from(gzip, 'base64'))
          : text === undefined
            ? Buffer.from(base64 ?? '', 'base64')
            : Buffer.from(text)
      return { name, broke, input: { target, bytes } }
    })
}
