import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ConfigError, loadConfig, SIMULATOR_KEY } from '../../src/config.ts'
import { packageRoot } from '../../src/home.ts'

let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'rosh-r07-'))
  writeFileSync(join(home, 'hub.yaml'), '{}')
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

const WEBHOOK_SECRETS = [
  'PARIS_API_SECRET',
  'PARIS_API_SECRET_NEXT',
  'ML_WEBHOOK_SECRET',
  'ML_WEBHOOK_PATH_SECRET',
  'ODOO_WEBHOOK_PATH_SECRET',
]
const real: Record<string, string> = {
  ODOO_URL: 'https://odoo.example',
  ODOO_DB: 'd',
  ODOO_USER: 'u',
  ODOO_PASSWORD: 'an odoo password of its own',
  ML_CLIENT_ID: '1',
  ML_CLIENT_SECRET: 'a client secret of its own',
  ML_REDIRECT_URI: 'https://hub.example/callback',
  PARIS_BASE_URL: 'https://paris.example',
  PARIS_API_KEY: 'a paris key of its own',
  PARIS_API_SECRET: 'a webhook secret of its own',
}
const variables = (over: Record<string, string>) => ({ ROSH_HOME: home, ROSH_CONFIG: join(home, 'hub.yaml'), ...over })

function problemsWith(over: Record<string, string>, demo = false): string[] {
  try {
    loadConfig(variables(over), { demo })
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

test('secrets of their own are taken', () => {
  expect(problemsWith(real)).toEqual([])
})

test.each(WEBHOOK_SECRETS.flatMap((name) => ['change-me', 'fifteen-letters', ''].map((value) => [name, value])))(
  '%s as "%s" is refused and named',
  (name, value) => {
    expect(problemsWith({ ...real, [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name}: `))])
  },
)

test.each(['ODOO_PASSWORD', 'ML_CLIENT_SECRET', 'PARIS_API_KEY'])(
  '%s at its default or empty is refused where the part is real',
  (name) => {
    for (const value of [SIMULATOR_KEY, ''])
      expect(problemsWith({ ...real, [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name}: `))])
  },
)

test.each(['PARIS_API_SECRET', 'PARIS_API_SECRET_NEXT'])('%s is measured by the bytes that sign, not by its letters', (name) => {
  const whsec = (bytes: number): string => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`
  for (const value of ['whsec_YWJjZGVmZw', whsec(23)])
    expect(problemsWith({ ...real, [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name}: .*24 bytes`))])
  expect(problemsWith({ ...real, [name]: whsec(24) })).toEqual([])
})

test('the second password of Odoo is held to what the first is', () => {
  expect(problemsWith({ ...real, ODOO_PASSWORD_NEXT: SIMULATOR_KEY })).toEqual([expect.stringMatching(/^ODOO_PASSWORD_NEXT: /)])
})

test('every problem is told at once, and none repeats a secret', () => {
  const problems = problemsWith({ ...real, PARIS_API_SECRET: 'canary-short', ML_WEBHOOK_SECRET: 'change-me' })
  expect(problems).toHaveLength(2)
  expect(problems.join()).not.toContain('canary-short')
})

test('the demo takes the simulator key, on its own machine alone', () => {
  expect(problemsWith({}, true)).toEqual([])
  expect(problemsWith({ ENV: 'production' }, true)).toEqual([expect.stringMatching(/^ENV: /)])
})

test.each([
  ['PARIS_API_SECRET', 'change-me'],
  ['ML_WEBHOOK_SECRET', 'short'],
  ['ML_WEBHOOK_SECRET', ''],
])('a hub started with %s="%s" ends with a code that is not 0 and opens no port', async (name, value) => {
  const port = await freePort()
  const env = {
    PATH: process.env.PATH,
    ...variables({ [name]: value, HTTP_PORT: String(port), DATABASE_URL: 'postgresql://127.0.0.1:1/none' }),
  }
  const child = spawn(process.execPath, [join(packageRoot, 'src', 'main.ts'), 'receiver'], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let opened = false
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const code = await Promise.race([ended, watch(port, ended, () => (opened = true))])
  expect([code, opened]).toEqual([2, false])
  expect(said).toContain(`${name}: `)
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

async function watch(port: number, ended: Promise<number | null>, onOpen: () => void): Promise<number | null> {
  let over = false
  void ended.then(() => (over = true))
  while (!over) {
    const open = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false))
      socket.once('close', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (open) onOpen()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return ended
}
