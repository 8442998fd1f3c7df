import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { logTo } from './log.ts'

test('a reader that has stopped costs a megabyte at most, and is told how many lines it missed when it reads again', () => {
  const read: string[] = []
  const waiting: (() => void)[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      read.push(chunk.toString())
      waiting.push(done)
    },
  })
  const log = logTo('info', stream)
  const said = 20_000
  for (let count = 0; count < said; count++) log.info({ count, reason: 'x'.repeat(100) }, 'a line')
  expect(stream.writableLength).toBeGreaterThan(1_000_000)
  expect(stream.writableLength).toBeLessThan(1_001_000)

  while (stream.writableLength > 0) readOn(waiting)
  log.info({ count: said }, 'a line')
  while (stream.writableLength > 0) readOn(waiting)
  const lines = read.map((line) => JSON.parse(line) as { msg: string; count: number })
  const [note, ...others] = lines.filter(({ msg }) => msg !== 'a line')
  expect(others).toEqual([])
  expect(note).toMatchObject({ level: 40, msg: 'lines of the log were lost: who reads it had stopped' })
  expect(lines.length - 1 + (note?.count ?? 0)).toBe(said + 1)
})

function readOn(waiting: (() => void)[]): void {
  for (const done of waiting.splice(0)) done()
}
