import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { postgresUser, prepareGround } from '../../src/drivers/postgres/embedded-binaries.ts'
import { isRunning, processStart } from '../../src/drivers/postgres/process-table.ts'
import {
  type Cluster,
  clusterUrl,
  freePort,
  initCluster,
  runningServer,
  startServer,
  superuser,
} from '../../src/drivers/postgres/server-process.ts'
import { withStartLock } from '../../src/drivers/postgres/start-lock.ts'

// One folder a run holds its server and is removed with it. The server starts when the first test asks for a database, so a run
// that needs none costs nothing.

export const runVariable = 'ROSH_TEST_RUN'

export type TestServer = { superuserUrl: string; run: string; shared: boolean }

const folderPrefix = 'rosh-test-run-'

/** Makes the folder of a run and removes what killed runs left behind. */
export function beginRun(): string {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(folderPrefix))) removeIfLeftOver(join(tmpdir(), name))
  const folder = mkdtempSync(join(tmpdir(), folderPrefix))
  writeFileSync(join(folder, 'owner.json'), JSON.stringify({ pid: process.pid, startedAt: processStart(process.pid) }))
  // As root the server runs as another user, below this folder.
  chmodSync(folder, 0o711)
  return folder
}

/** Stops the run's server at once and removes its folder. Synchronous: it also runs while the process is ending. */
export function endRun(folder: string): void {
  const pid = runningServer(join(folder, 'postgres', 'data'))
  if (pid !== undefined) {
    process.kill(pid, 'SIGQUIT')
    const giveUpAt = Date.now() + 5_000
    while (isRunning(pid) && Date.now() < giveUpAt) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}

/** The server of a run, started by whoever asks first: TEST_DATABASE_URL, else Debian's PostgreSQL, else the embedded one. */
export async function serverOf(folder: string): Promise<TestServer> {
  const file = join(folder, 'server.json')
  return withStartLock(join(folder, 'server.lock'), async () => {
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as TestServer
    const run = randomBytes(4).toString('hex')
    const given = process.env.TEST_DATABASE_URL
    const server = given ? { superuserUrl: given, run, shared: true } : { superuserUrl: await startOwn(folder), run, shared: false }
    writeFileSync(`${file}.new`, JSON.stringify(server), { mode: 0o600 })
    renameSync(`${file}.new`, file)
    return server
  })
}

/** Ends the server of a run, by fast (SIGINT) or immediate (SIGQUIT) shutdown, and starts it again on its port and folder after a pause. */
export async function restartServer(folder: string, signal: 'SIGINT' | 'SIGQUIT', pauseMs = 0): Promise<void> {
  const { superuserUrl } = await serverOf(folder)
  const url = new URL(superuserUrl)
  const cluster = { ...clusterIn(folder), superuserPassword: decodeURIComponent(url.password) }
  const pid = runningServer(cluster.dataFolder)
  if (pid !== undefined) {
    process.kill(pid, signal)
    while (isRunning(pid)) await delay(20)
  }
  await delay(pauseMs)
  await startServer(cluster, Number(url.port), settings)
}

/** Removes the databases a run made on a server that is not its own. */
export async function dropDatabasesOf(folder: string): Promise<void> {
  const file = join(folder, 'server.json')
  if (!existsSync(file)) return
  const { superuserUrl, run, shared } = JSON.parse(readFileSync(file, 'utf8')) as TestServer
  if (!shared) return
  const client = new pg.Client({ connectionString: superuserUrl })
  await client.connect()
  const { rows } = await client.query<{ datname: string }>('select datname from pg_database where datname like $1', [
    `rosh\\_test\\_${run}\\_%`,
  ])
  for (const { datname } of rows) await client.query(`drop database if exists ${client.escapeIdentifier(datname)} with (force)`)
  await client.end()
}

// fsync off: nothing here must outlive the machine, and a crash test ends processes, not the kernel.
const settings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  shared_buffers: '128MB',
  max_wal_size: '4GB',
  idle_in_transaction_session_timeout: '60s',
}

async function startOwn(folder: string): Promise<string> {
  const cluster = clusterIn(folder)
  const storage = join(folder, 'postgres')
  mkdirSync(storage, { recursive: true, mode: 0o700 })
  if (cluster.runAs) chownSync(storage, cluster.runAs.uid, cluster.runAs.gid)
  await initCluster(cluster, ['--locale=C', '--no-sync'])
  const port = await freePort()
  await startServer(cluster, port, settings)
  return clusterUrl({ port, user: superuser, password: cluster.superuserPassword, database: 'postgres' })
}

function clusterIn(folder: string): Cluster {
  const debian = process.env.TEST_POSTGRES === 'embedded' ? undefined : debianPrograms()
  const ground = debian ?? prepareGround(folder, (text) => console.log(text))
  return {
    binFolder: ground.binFolder,
    dataFolder: join(folder, 'postgres', 'data'),
    logFile: join(folder, 'postgres.log'),
    superuserPassword: randomBytes(16).toString('hex'),
    runAs: ground.runAs,
  }
}

function debianPrograms(): Pick<Cluster, 'binFolder' | 'runAs'> | undefined {
  const base = '/usr/lib/postgresql'
  if (!existsSync(base)) return undefined
  const newest = readdirSync(base)
    .filter((version) => existsSync(join(base, version, 'bin', 'initdb')))
    .toSorted((a, b) => Number(b) - Number(a))[0]
  if (newest === undefined) return undefined
  const runAs = process.getuid?.() === 0 ? postgresUser((text) => console.log(text)) : undefined
  return { binFolder: join(base, newest, 'bin'), runAs }
}

function removeIfLeftOver(folder: string): void {
  try {
    const owner = JSON.parse(readFileSync(join(folder, 'owner.json'), 'utf8')) as { pid: number; startedAt?: string }
    if (!isRunning(owner.pid, owner.startedAt)) endRun(folder)
  } catch {
    // another run's folder that is just being made or removed
  }
}
