import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { homeFolder, loadOrCreateSecrets, packageRoot, readInstance, removeInstance, writeInstance } from './home.ts'

let home: string

beforeEach(() => {
  home = join(mkdtempSync(join(tmpdir(), 'rosh-home-')), 'inner')
})

afterEach(() => {
  rmSync(join(home, '..'), { recursive: true })
})

const instance = {
  pid: 42,
  startedAt: '2026-11-23T09:00:00.000Z',
  demo: true,
  urls: { hub: 'http://127.0.0.1:8000' },
  ports: { hub: 8000 },
}

test('the home is beside the package, or ROSH_HOME, wherever the command is typed', () => {
  expect(existsSync(join(packageRoot, 'package.json'))).toBe(true)
  expect(homeFolder({})).toBe(join(packageRoot, '.rosh'))
  expect(homeFolder({ ROSH_HOME: '' })).toBe(join(packageRoot, '.rosh'))
  expect(homeFolder({ ROSH_HOME: '/srv/hub' })).toBe('/srv/hub')
  expect(homeFolder({ ROSH_HOME: 'other' })).toBe(join(packageRoot, 'other'))
})

test('an instance is read as it was written, further fields included', () => {
  expect(readInstance(home)).toBeUndefined()
  writeInstance(home, { ...instance, simulators: ['paris-mock'] })
  expect(readInstance(home)).toEqual({ ...instance, simulators: ['paris-mock'] })
  expect(statSync(join(home, 'instance.json')).mode & 0o777).toBe(0o600)
  expect(readdirSync(home)).toEqual(['instance.json'])
  removeInstance(home)
  expect(readInstance(home)).toBeUndefined()
})

test('a damaged instance file names the field and the way out', () => {
  writeInstance(home, instance)
  writeFileSync(join(home, 'instance.json'), JSON.stringify({ ...instance, pid: 'many' }))
  expect(() => readInstance(home)).toThrow(/instance\.json is damaged[^]*pid[^]*remove it and start again/)
})

test('secrets are made once, long, different, and for the owner only', () => {
  const secrets = loadOrCreateSecrets(home)
  expect(Object.keys(secrets).toSorted()).toEqual([
    'ML_WEBHOOK_PATH_SECRET',
    'ML_WEBHOOK_SECRET',
    'ODOO_WEBHOOK_PATH_SECRET',
    'PARIS_API_SECRET',
    'auditSigningKey',
    'keyEncryptionKey',
    'operatorToken',
    'planTokenKey',
    'viewerToken',
  ])
  expect(new Set(Object.values(secrets)).size).toBe(9)
  for (const secret of Object.values(secrets)) expect(Buffer.from(secret, 'base64url')).toHaveLength(32)
  expect(statSync(join(home, 'secrets.json')).mode & 0o777).toBe(0o600)
  expect(loadOrCreateSecrets(home)).toEqual(secrets)
})

test('processes that ask at once get the same secrets', async () => {
  const program = `import { loadOrCreateSecrets } from ${JSON.stringify(join(import.meta.dirname, 'home.ts'))}
console.log(JSON.stringify(loadOrCreateSecrets(process.argv[1])))`
  const outputs = await Promise.all([1, 2, 3].map(() => output(['--input-type=module', '-e', program, home])))
  expect(new Set(outputs).size).toBe(1)
  expect(JSON.parse(outputs[0]!)).toEqual(loadOrCreateSecrets(home))
})

test('a secret that an older release did not have is the same for everybody', () => {
  loadOrCreateSecrets(home)
  const file = join(home, 'secrets.json')
  const { viewerToken: _, ...older } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>
  writeFileSync(file, JSON.stringify(older))
  const first = loadOrCreateSecrets(home)
  writeFileSync(file, JSON.stringify(older))
  expect(loadOrCreateSecrets(home)).toEqual(first)
  expect(first.viewerToken).toHaveLength(43)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject(first)
})

test('damaged secrets are never replaced by new ones', () => {
  loadOrCreateSecrets(home)
  writeFileSync(join(home, 'secrets.json'), '{"rootKey":')
  expect(() => loadOrCreateSecrets(home)).toThrow(/secrets\.json is damaged[^]*restore it from a copy/)
  expect(readFileSync(join(home, 'secrets.json'), 'utf8')).toBe('{"rootKey":')
})

function output(args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve(text) : reject(new Error(`exit code ${code}`))))
  })
}
