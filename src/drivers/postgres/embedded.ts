import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { SetupError } from '../../core/setup-error.ts'
import { ensureDatabase, ensureLogins, hubDatabase, hubLogin, ownerLogin } from './cluster-logins.ts'
import { type Ground, prepareGround } from './embedded-binaries.ts'
import {
  answersOn,
  type Cluster,
  clusterUrl,
  freePort,
  initCluster,
  isPortFree,
  runningServer,
  startServer,
  stopServer,
  superuser,
} from './server-process.ts'
import { withStartLock } from './start-lock.ts'

/** A running embedded PostgreSQL. */
export type Instance = {
  /** Login `rosh_login`: for everything but migrations. */
  databaseUrl: string
  /** Login `rosh_migrator`: owns the database, may create roles. */
  migratorUrl: string
  port: number
  dataFolder: string
  /** True when it ran already. */
  attached: boolean
}

/**
 * Attaches to the embedded PostgreSQL of `home`, or starts it. The server lives on when this process dies; only
 * `stopEmbedded` ends it. Two callers at once get the same server. Throws with the server's own last lines when it does
 * not start, and when the data folder belongs to another major version.
 */
export async function startEmbedded({ home, log }: { home: string; log: (text: string) => void }): Promise<Instance> {
  const folder = resolve(home)
  // Others may pass through, not look around: as root the server runs as another user, below this folder.
  mkdirSync(folder, { recursive: true, mode: 0o711 })
  return withStartLock(join(folder, 'postgres.lock'), async () => {
    const known = readRecord(folder)
    if (known !== undefined && (await settled(known))) return instanceOf(known, true)
    const ground = prepareGround(folder, log)
    if (known === undefined) await setLeftOverAside(folder, ground, log)
    const record = known ?? (await newRecord(ground))
    if (!(await isPortFree(record.port))) {
      const taken = record.port
      record.port = await freePort()
      log(`Port ${taken} is taken by another program: PostgreSQL moves to ${record.port}`)
    }
    writeRecord(folder, record)
    await bringUp(clusterOf(record, ground), record, ground, log)
    return instanceOf(record, false)
  })
}

/** Attaches to the embedded PostgreSQL of `home` without ever starting one: for commands that need a running hub. */
export async function attachEmbedded({ home }: { home: string }): Promise<Instance | { kind: 'hub-not-running' }> {
  const record = readRecord(resolve(home))
  if (record === undefined || !(await answersOn(record.port, record))) return { kind: 'hub-not-running' }
  return instanceOf(record, true)
}

/** Stops the embedded PostgreSQL of `home` with a fast shutdown and waits for its end; nothing happens when none runs. */
export async function stopEmbedded({ home }: { home: string }): Promise<void> {
  const folder = resolve(home)
  if (!existsSync(recordFile(folder))) return
  await withStartLock(join(folder, 'postgres.lock'), async () => {
    const record = readRecord(folder)
    if (record !== undefined) await stopServer(record.dataFolder)
  })
}

const settings = {
  fsync: 'on',
  max_connections: '200',
  shared_buffers: '128MB',
  min_wal_size: '512MB',
  idle_in_transaction_session_timeout: '60s',
}

const ServerRecord = z.object({
  port: z.int().min(1).max(65_535),
  dataFolder: z.string(),
  superuserPassword: z.string(),
  ownerPassword: z.string(),
  hubPassword: z.string(),
})
type ServerRecord = z.infer<typeof ServerRecord>

// A server that is starting, recovering or stopping answers nobody, yet holds the folder: wait for either end of that.
async function settled(record: ServerRecord): Promise<boolean> {
  const giveUpAt = Date.now() + 30_000
  for (;;) {
    if (await answersOn(record.port, record)) return true
    const pid = runningServer(record.dataFolder)
    if (pid === undefined) return false
    if (Date.now() > giveUpAt)
      throw new SetupError(
        `PostgreSQL (process ${pid}) runs on ${record.dataFolder} but does not answer on port ${record.port}; end it, then start again`,
      )
    await delay(50)
  }
}

// Data without its record cannot be opened: the passwords are gone.
async function setLeftOverAside(home: string, ground: Ground, log: (text: string) => void): Promise<void> {
  const data = join(ground.storage, 'data')
  if (!existsSync(data)) return
  if (ground.storage.startsWith(join(home, 'postgres'))) {
    throw new SetupError(
      `${recordFile(home)} is missing, which holds the passwords of ${data}: restore it, or move ${data} away to begin anew`,
    )
  }
  // The home was removed, but not what could not be kept in it: whoever did that wants to begin anew.
  await stopServer(data)
  const aside = `${data}.left-over-${Date.now()}`
  renameSync(data, aside)
  log(`The data of a former ${home} was moved to ${aside}; remove it when nobody needs it`)
}

async function bringUp(cluster: Cluster, record: ServerRecord, ground: Ground, log: (text: string) => void): Promise<void> {
  const storage = dirname(cluster.dataFolder)
  mkdirSync(storage, { recursive: true, mode: 0o700 })
  if (ground.runAs) chownSync(storage, ground.runAs.uid, ground.runAs.gid)
  if (existsSync(cluster.dataFolder)) checkVersion(cluster.dataFolder, ground.version)
  else {
    log(`Creating the PostgreSQL data folder ${cluster.dataFolder}`)
    await initCluster(cluster, ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'])
  }
  await startServer(cluster, record.port, settings)
  const superuserUrl = clusterUrl({ port: record.port, user: superuser, password: record.superuserPassword, database: 'postgres' })
  await ensureLogins(superuserUrl, record)
  await ensureDatabase(superuserUrl, hubDatabase)
}

function checkVersion(dataFolder: string, version: string): void {
  const present = readFileSync(join(dataFolder, 'PG_VERSION'), 'utf8').trim()
  const ours = version.split('.')[0]
  if (present === ours) return
  throw new SetupError(
    `${dataFolder} was made by PostgreSQL ${present}, this release brings PostgreSQL ${ours}, and a data folder belongs to one major version. ` +
      `Start the release that made it, or move the folder away to begin with an empty one`,
  )
}

async function newRecord(ground: Ground): Promise<ServerRecord> {
  const password = () => randomBytes(24).toString('base64url')
  return {
    port: await freePort(),
    dataFolder: join(ground.storage, 'data'),
    superuserPassword: password(),
    ownerPassword: password(),
    hubPassword: password(),
  }
}

function clusterOf(record: ServerRecord, ground: Ground): Cluster {
  return {
    binFolder: ground.binFolder,
    dataFolder: record.dataFolder,
    logFile: join(dirname(record.dataFolder), 'postgres.log'),
    superuserPassword: record.superuserPassword,
    runAs: ground.runAs,
  }
}

function instanceOf(record: ServerRecord, attached: boolean): Instance {
  const { port, dataFolder, hubPassword, ownerPassword } = record
  return {
    databaseUrl: clusterUrl({ port, user: hubLogin, password: hubPassword, database: hubDatabase }),
    migratorUrl: clusterUrl({ port, user: ownerLogin, password: ownerPassword, database: hubDatabase }),
    port,
    dataFolder,
    attached,
  }
}

function recordFile(home: string): string {
  return join(home, 'postgres.json')
}

function readRecord(home: string): ServerRecord | undefined {
  const file = recordFile(home)
  if (!existsSync(file)) return undefined
  try {
    const record = ServerRecord.parse(JSON.parse(readFileSync(file, 'utf8')))
    // A home that was moved or copied brings its data along; the recorded path would still be the old one.
    const inHome = join(home, 'postgres')
    return existsSync(inHome) ? { ...record, dataFolder: join(inHome, 'data') } : record
  } catch (error) {
    throw new SetupError(`${file} is damaged: restore it (it holds the passwords of the data folder), or move ${home} away to begin anew`, {
      cause: error,
    })
  }
}

function writeRecord(home: string, record: ServerRecord): void {
  const file = recordFile(home)
  writeFileSync(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
