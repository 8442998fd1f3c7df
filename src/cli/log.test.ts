import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { packageRoot } from '../home.ts'

/** Says far more than a pipe and the bound hold, then a line at a time until one was said with nothing waiting before it. */
const CHATTY = `
  import { logTo } from ${JSON.stringify(join(packageRoot, 'src', 'cli', 'log.ts'))}
  const log = logTo('error')
  let said = 0
  const say = () => log.error({ count: ++said, reason: 'x'.repeat(100) }, 'a line')
  while (said < 20_000) say()
  console.log(process.stderr.writableLength)
  const timer = setInterval(() => {
    const isRead = process.stderr.writableLength === 0
    say()
    if (!isRead) return
    clearInterval(timer)
    console.log(said)
  }, 5)`

test('a reader that has stopped costs a megabyte, and is told how many lines it missed when it reads again', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', CHATTY], { stdio: ['ignore', 'pipe', 'pipe'] })
  const answers: string[] = []
  const logged: Buffer[] = []
  const ended = once(child, 'close') as Promise<[number | null]>
  const readOn = (): void => {
    if (child.stderr.listenerCount('data') === 0) child.stderr.on('data', (chunk: Buffer) => logged.push(chunk))
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    answers.push(line)
    readOn()
  })
  child.once('exit', readOn)
  const [code] = await ended
  const text = Buffer.concat(logged).toString()
  expect(code, text).toBe(0)
  const [waiting, said] = answers.map(Number) as [number, number]
  expect(waiting).toBeGreaterThan(1_000_000)
  expect(waiting).toBeLessThan(1_001_000)
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: number; msg: string; count: number })
  const notes = lines.filter(({ msg }) => msg !== 'a line')
  expect(notes.length).toBeGreaterThan(0)
  expect(notes.every(({ level, msg }) => level === 40 && msg === 'lines of the log were lost: who reads it had stopped')).toBe(true)
  expect(lines.length - notes.length + notes.reduce((sum, { count }) => sum + count, 0)).toBe(said)
})
