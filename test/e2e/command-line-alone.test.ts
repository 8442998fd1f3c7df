import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { withStartLock } from '../../src/drivers/postgres/start-lock.ts'
import { freePort } from '../../src/drivers/postgres/server-process.ts'
import { packageRoot } from '../../src/home.ts'

describe('the rosh command by itself', () => {
  async function spawned(args: string[], env: Record<string, string> = {}): Promise<{ code: number | null; out: string; err: string }> {
    const child = spawn(process.execPath, [join(packageRoot, 'bin', 'rosh.js'), ...args], {
      env: { PATH: process.env.PATH ?? '', ROSH_HOME: '/nonexistent/rosh', ...env },
    })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, out, err }
  }

  test('--help names every command and the exit codes', async () => {
    const { code, out } = await spawned(['--help'])
    expect(code).toBe(0)
    for (const name of [
      'up',
      'status',
      'down',
      'trace',
      'diagnose',
      'dlq',
      'retry',
      'mcp',
      'auth',
      'tokens',
      'doctor',
      'chaos',
      'migrate',
      'receiver',
      'worker',
      'odoo-sim',
    ])
      expect(out).toContain(name)
    expect(out).toContain('Exit codes')
  })

  test('an unknown command is bad input', async () => {
    expect((await spawned(['fly'])).code).toBe(2)
  })

  test.each([
    ['an unknown command', ['fly'], "unknown command 'fly'"],
    ['an unknown option', ['trace', 'ML-1', '--colour'], "unknown option '--colour'"],
    ['a missing argument', ['retry'], "missing required argument 'order'"],
  ])('%s is told as JSON too', async (_name, args, message) => {
    const { code, out, err } = await spawned([...args, '--json'])
    expect([code, JSON.parse(out)]).toEqual([2, { error: { code: 'bad-input', message: expect.stringContaining(message) } }])
    expect(err).toContain(message)
  })

  test('without a hub it says so', async () => {
    const { code, out } = await spawned(['status', '--json'])
    expect(code).toBe(3)
    expect(JSON.parse(out)).toMatchObject({ ready: false, running: false, error: { code: 'hub-not-running' } })
  })

  test('a second hub in one home is refused before it can touch the first one’s database', async () => {
    const home = mkdtempSync(join(tmpdir(), 'rosh-second-'))
    try {
      await withStartLock(join(home, 'up.lock'), async () => {
        const { code, err } = await spawned(['up'], { ROSH_HOME: home })
        expect([code, err]).toEqual([2, expect.stringContaining(`a hub runs already in ${home} (process ${process.pid})`)])
      })
      expect(readdirSync(home).sort()).toEqual(['secrets.json'])
    } finally {
      rmSync(home, { recursive: true, force: true })
    }
  })

  test('a ROSH_HOME that cannot be made is one line that names it, and exit code 2', async () => {
    const { code, out, err } = await spawned(['trace', 'ML-1', '--json'], { ROSH_HOME: '/dev/null/rosh' })
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/^ROSH_HOME: the folder \/dev\/null\/rosh cannot be used .*; set ROSH_HOME to .*\n$/),
    ])
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'bad-setup', message: expect.stringContaining('ROSH_HOME') } })
  })

  test('a database that does not answer is one line of every command, and a finding of the doctor', async () => {
    const home = mkdtempSync(join(tmpdir(), 'rosh-no-database-'))
    const env = { ROSH_HOME: home, DATABASE_URL: `postgresql://rosh:rosh@127.0.0.1:${await freePort()}/rosh` }
    try {
      for (const args of [['migrate'], ['trace', 'ML-1'], ['worker']]) {
        const { code, err } = await spawned(args, env)
        const line = /^(warning: .*\n)*PostgreSQL does not answer \(connect ECONNREFUSED .*\n$/
        expect([args, code, err]).toEqual([args, 1, expect.stringMatching(line)])
      }
      const { code, out } = await spawned(['doctor', '--json'], env)
      const says = expect.stringContaining('does not answer') as string
      const error = { code: 'not-ready', message: 'to fix: database' }
      expect([code, JSON.parse(out)]).toEqual([1, { ok: false, findings: [{ part: 'database', ok: false, says }], error }])
    } finally {
      rmSync(home, { recursive: true, force: true })
    }
  })

  test('a bad configuration names every problem and exits 2', async () => {
    const { code, err } = await spawned(['migrate'], { HTTP_PORT: 'x', ODOO_URL: 'y' })
    expect(code).toBe(2)
    expect(err).toMatch(/HTTP_PORT[\s\S]*ODOO_URL|ODOO_URL[\s\S]*HTTP_PORT/)
  })
})
