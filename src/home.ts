import { hkdfSync, randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { SetupError } from './core/setup-error.ts'

/** Folder of the installed package: where package.json, migrations/ and the built console are. */
export const packageRoot: string = findPackageRoot(dirname(fileURLToPath(import.meta.url)))

/**
 * Folder of everything this machine's hub keeps: `ROSH_HOME`, or `.rosh` beside the package. Never depends on the folder a
 * command was typed in, or an agent's MCP process would look at another hub than the person who started it.
 */
export function homeFolder(env: { ROSH_HOME?: string | undefined }): string {
  return resolve(packageRoot, env.ROSH_HOME === undefined || env.ROSH_HOME === '' ? '.rosh' : env.ROSH_HOME)
}

/** What runs in a home and where; written by `rosh up`, read by every other command. Further fields are kept. */
export const RunningInstance = z.looseObject({
  pid: z.int().positive(),
  startedAt: z.iso.datetime(),
  demo: z.boolean(),
  /** Name of a part (`hub`, `console`, `mcp`, `paris-mock` ...) to its address. */
  urls: z.record(z.string(), z.url()),
  ports: z.record(z.string(), z.int().min(0).max(65_535)),
})
export type RunningInstance = z.infer<typeof RunningInstance>

/** What `rosh up` wrote last, undefined when it never ran here. It may be of a process that is gone: ask its health address. */
export function readInstance(home: string): RunningInstance | undefined {
  return readJson(join(home, 'instance.json'), RunningInstance, 'remove it and start again')
}

/** Replaces instance.json whole: a reader sees the old one or the new one. */
export function writeInstance(home: string, instance: RunningInstance): void {
  makeHome(home)
  replaceFile(join(home, 'instance.json'), RunningInstance.parse(instance))
}

export function removeInstance(home: string): void {
  rmSync(join(home, 'instance.json'), { force: true })
}

const secretNames = [
  'ML_WEBHOOK_PATH_SECRET',
  'ODOO_WEBHOOK_PATH_SECRET',
  'ML_WEBHOOK_SECRET',
  'PARIS_API_SECRET',
  /** 32 bytes, base64url: wraps the keys that encrypt stored credentials. */
  'keyEncryptionKey',
  /** 32 bytes, base64url: seals plan tokens. */
  'planTokenKey',
  /** 32 bytes, base64url: seed of the Ed25519 key that signs checkpoints of the audit log. */
  'auditSigningKey',
  'viewerToken',
  'operatorToken',
] as const

/** The secrets a hub generates for itself; each is 43 characters of base64url, 256 bits. */
export type Secrets = Record<(typeof secretNames)[number], string>

/**
 * Reads secrets.json of `home`, and creates it on first use; two processes that do so at once get the same secrets. Throws when
 * the file is damaged: new secrets in its place would make every stored credential unreadable. Throws a SetupError that names `ROSH_HOME` when the
 * folder cannot be made or used.
 */
export function loadOrCreateSecrets(home: string): Secrets {
  makeHome(home)
  const file = secretsFile(home)
  usingHome(home, () => {
    if (!existsSync(file)) createFile(file, { rootKey: newSecret(), ...Object.fromEntries(secretNames.map((name) => [name, newSecret()])) })
    chmodSync(file, 0o600)
  })
  const stored = storedSecrets(home)
  const missing = secretNames.filter((name) => stored[name] === undefined)
  // A file of an older release: what it lacks is derived, not drawn, so that everybody comes to the same values.
  const derived = Object.fromEntries(missing.map((name) => [name, derive(stored.rootKey, name)]))
  if (missing.length > 0) replaceFile(file, { ...stored, ...derived })
  return Object.fromEntries(secretNames.map((name) => [name, stored[name] ?? derived[name]])) as Secrets
}

function makeHome(home: string): void {
  usingHome(home, () => mkdirSync(home, { recursive: true, mode: 0o711 }))
}

// No right, no room, no folder above it, or a file in its place: all of them are mended by another home, or by who owns this one.
function usingHome(home: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error
    throw new SetupError(
      `ROSH_HOME: the folder ${home} cannot be used (${error.message}); set ROSH_HOME to a folder that this user may make and write`,
      {
        cause: error,
      },
    )
  }
}

/** A key that wraps data keys: its id, and 32 bytes in base64url. */
export interface HomeKey {
  id: string
  key: string
}

/** The keys that wrap data keys, the newest first. Read anew at every call: a rotation in another process shows at once. */
export function homeKeys(home: string): HomeKey[] {
  const { keyEncryptionKey } = loadOrCreateSecrets(home)
  return storedSecrets(home).keyRing ?? [{ id: 'home-1', key: keyEncryptionKey }]
}

/** Puts a new key in front of the ring, on disk when it returns; the others still open what they wrapped. One process at a time may do so. */
export function addHomeKey(home: string): HomeKey {
  const ring = homeKeys(home)
  const last = Math.max(...ring.map(({ id }) => Number(id.replace('home-', ''))))
  const added = { id: `home-${last + 1}`, key: newSecret() }
  replaceFile(secretsFile(home), { ...storedSecrets(home), keyRing: [added, ...ring] })
  return added
}

/** Takes every key but the newest away: what they wrapped cannot be opened any more. */
export function forgetOldHomeKeys(home: string): void {
  const [newest] = homeKeys(home)
  if (newest) replaceFile(secretsFile(home), { ...storedSecrets(home), keyEncryptionKey: newest.key, keyRing: [newest] })
}

const secretsFile = (home: string): string => join(home, 'secrets.json')

function storedSecrets(home: string): StoredSecrets {
  return readJson(secretsFile(home), StoredSecrets, 'restore it from a copy; it cannot be made again') as StoredSecrets
}

const Secret = z.string().min(32)
const StoredSecrets = z.looseObject({
  rootKey: Secret,
  keyRing: z
    .array(z.object({ id: z.string().regex(/^home-\d+$/), key: Secret }))
    .min(1)
    .optional(),
  ...Object.fromEntries(secretNames.map((name) => [name, Secret.optional()])),
})
type StoredSecrets = { rootKey: string; keyRing?: HomeKey[] } & Partial<Secrets>

function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

function derive(rootKey: string, name: string): string {
  return Buffer.from(hkdfSync('sha256', rootKey, '', `retail-order-sync-hub ${name}`, 32)).toString('base64url')
}

function readJson<T>(file: string, schema: z.ZodType<T>, remedy: string): T | undefined {
  if (!existsSync(file)) return undefined
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    const detail = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message
    throw new SetupError(`${file} is damaged (${detail}): ${remedy}`, { cause: error })
  }
}

// On disk when it is done: what the database keeps through a power cut may be wrapped under a key of this file.
function replaceFile(file: string, content: object): void {
  renameSync(writeBeside(file, content), file)
  sync(dirname(file))
}

// Unlike a rename, a link fails when somebody else was faster: the first one's content stays.
function createFile(file: string, content: object): void {
  const written = writeBeside(file, content)
  try {
    linkSync(written, file)
    sync(dirname(file))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(written, { force: true })
  }
}

function writeBeside(file: string, content: object): string {
  const path = `${file}.${process.pid}-${randomBytes(4).toString('hex')}`
  writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
  sync(path)
  return path
}

function sync(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

function findPackageRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder
  const parent = dirname(folder)
  if (parent === folder) throw new Error('package.json of retail-order-sync-hub not found above its own sources')
  return findPackageRoot(parent)
}
