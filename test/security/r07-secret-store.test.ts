import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ConfigError, loadConfig } from '../../src/config.ts'
import { packageRoot } from '../../src/home.ts'
import { withManagedSecrets } from '../../src/managed-secrets.ts'
import { type FakeSecretManager, fakeSecretManager } from '../support/fake-secret-manager.ts'

let fake: FakeSecretManager
let home: string
beforeAll(async () => {
  fake = await fakeSecretManager('shop-project')
  fake.secrets.set('PARIS_API_SECRET@latest', 'canary-paris-secret-of-the-store\n')
  fake.secrets.set('odoo-key@3', 'canary-odoo-key-of-the-store')
  fake.secrets.set('short@latest', 'short')
  fake.secrets.set('default@latest', 'change-me')
  fake.secrets.set('empty@latest', '')
  home = mkdtempSync(join(tmpdir(), 'rosh-r07-store-'))
  writeFileSync(join(home, 'hub.yaml'), '{}')
})
afterEach(() => {
  fake.fault = null
})
afterAll(async () => {
  await fake.close()
  rmSync(home, { recursive: true, force: true })
})

const environment = (secrets: string, over: Record<string, string> = {}) => ({
  ROSH_HOME: home,
  ROSH_CONFIG: join(home, 'hub.yaml'),
  USE_SECRET_MANAGER: 'true',
  GCP_PROJECT_ID: 'shop-project',
  SECRET_MANAGER_SECRETS: secrets,
  SECRET_MANAGER_BASE_URL: `http://${fake.host}`,
  GCE_METADATA_HOST: fake.host,
  ...over,
})

async function problemsOf(env: Record<string, string>): Promise<string[]> {
  try {
    loadConfig(await withManagedSecrets(env), { demo: false })
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

const real = { ODOO_URL: 'https://odoo.example', ODOO_DB: 'd', ODOO_USER: 'u' }

test('listed secrets become variables, by their own name or another, newest or of a version', async () => {
  const env = environment('PARIS_API_SECRET, ODOO_PASSWORD=odoo-key@3', real)
  const config = loadConfig(await withManagedSecrets(env), { demo: false })
  expect(config.paris.apiSecret.reveal()).toBe('canary-paris-secret-of-the-store')
  expect(config.odoo.password.reveal()).toBe('canary-odoo-key-of-the-store')
  expect(config.warnings).toEqual([])
})

test('without being asked nothing is read', async () => {
  const before = fake.requests.length
  const env = environment('PARIS_API_SECRET', { USE_SECRET_MANAGER: 'false' })
  expect(await withManagedSecrets(env)).toEqual(env)
  expect(fake.requests.length).toBe(before)
})

test.each(['unavailable', 'forbidden', 'no-token', 'garbage', 'hang-up'] as const)(
  'a store that is %s keeps the hub from starting',
  async (fault) => {
    fake.fault = fault
    expect(await problemsOf(environment('PARIS_API_SECRET'))).toEqual([
      expect.stringMatching(/^PARIS_API_SECRET: the secret PARIS_API_SECRET \(latest\) could not be read/),
    ])
  },
)

test('a store that does not answer, a secret that is not there, and one of two, keep it from starting', async () => {
  expect(await problemsOf(environment('PARIS_API_SECRET', { SECRET_MANAGER_BASE_URL: 'http://127.0.0.1:1' }))).toHaveLength(1)
  expect(await problemsOf(environment('PARIS_API_SECRET,ODOO_PASSWORD=nobody@1'))).toEqual([expect.stringMatching(/^ODOO_PASSWORD: .*404/)])
})

test('a weak secret of the store is as weak as any', async () => {
  expect(await problemsOf(environment('PARIS_API_SECRET=short'))).toEqual([expect.stringMatching(/^PARIS_API_SECRET: shorter/)])
  expect(await problemsOf(environment('PARIS_API_SECRET=default'))).toEqual([expect.stringMatching(/^PARIS_API_SECRET: the default/)])
  expect(await problemsOf(environment('PARIS_API_SECRET=empty'))).toEqual([expect.stringMatching(/^PARIS_API_SECRET: .* is empty/)])
})

test('a list that names nothing, a variable set twice, and a missing project are refused before anything is asked', async () => {
  const before = fake.requests.length
  expect(await problemsOf(environment(''))).toHaveLength(1)
  expect(await problemsOf(environment('PATH'))).toEqual([expect.stringContaining('names no variable')])
  expect(await problemsOf(environment('PARIS_API_SECRET=../../x'))).toHaveLength(1)
  expect(await problemsOf(environment('PARIS_API_SECRET', { PARIS_API_SECRET: 'set-in-the-environment-too' }))).toEqual([
    expect.stringContaining('remove one'),
  ])
  expect(await problemsOf(environment('PARIS_API_SECRET', { GCP_PROJECT_ID: '' }))).toEqual([expect.stringMatching(/^GCP_PROJECT_ID: /)])
  expect(fake.requests.length).toBe(before)
})

test('a hub whose store fails ends with a code that is not 0, says which secret, and repeats none', async () => {
  fake.fault = 'unavailable'
  const env = { PATH: process.env.PATH, ...environment('PARIS_API_SECRET'), HTTP_PORT: '0' }
  // Not spawnSync: the store answers in this process.
  const child = spawn(process.execPath, [join(packageRoot, 'src', 'main.ts'), 'receiver'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const code = await new Promise((resolve) => child.once('close', resolve))
  expect([code, said.includes('PARIS_API_SECRET'), said.includes('canary'), said.includes('listening')]).toEqual([2, true, false, false])
})
