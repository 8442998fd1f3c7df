import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

type Manifest = Record<string, unknown> & { version?: string; link?: boolean }
type Lockfile = { packages: Record<string, Manifest> }

const root = join(import.meta.dirname, '..')
const kinds = ['dependencies', 'optionalDependencies', 'devDependencies'] as const
const exact = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/

const read = <T>(file: string): T => JSON.parse(readFileSync(join(root, file), 'utf8')) as T
const manifest = read<Manifest>('package.json')
const lockfile = read<Lockfile>('package-lock.json')

/** Dependencies of a package.json that a later release could change: a range, a tag, a URL. */
function inexact(of: Manifest): string[] {
  return kinds.flatMap((kind) =>
    Object.entries((of[kind] ?? {}) as Record<string, string>)
      .filter(([, version]) => !exact.test(version))
      .map(([name, version]) => `${kind}: ${name} ${version}`),
  )
}

test('every dependency is pinned to one exact version', () => {
  expect(inexact(manifest)).toEqual([])
})

test('a range, a tag and a URL are no exact version', () => {
  const dependencies = { a: '^1.2.3', b: 'latest', c: 'https://example.com/c.tgz', d: '1.2', e: '1.2.3', f: '1.2.3-beta.4' }
  expect(inexact({ dependencies })).toEqual([
    'dependencies: a ^1.2.3',
    'dependencies: b latest',
    'dependencies: c https://example.com/c.tgz',
    'dependencies: d 1.2',
  ])
})

test('the lockfile holds the versions that package.json names', () => {
  const named = Object.fromEntries(kinds.flatMap((kind) => Object.entries((manifest[kind] ?? {}) as Record<string, string>)))
  const locked = Object.fromEntries(Object.keys(named).map((name) => [name, lockfile.packages[`node_modules/${name}`]?.version]))
  expect(locked).toEqual(named)
})

test('every locked package carries its integrity and no registry address', () => {
  const packages = Object.entries(lockfile.packages).filter(([path, { link }]) => path.includes('node_modules/') && !link)
  expect(packages.filter(([, { integrity, inBundle }]) => !integrity && !inBundle).map(([path]) => path)).toEqual([])
  expect(packages.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([])
})
