import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { SetupError } from '../../core/setup-error.ts'
import { commandLine, isRunning } from './process-table.ts'

/** OS user a server runs as, where it is not our own: PostgreSQL refuses to run as root. */
export type RunAs = { uid: number; gid: number }

/** One data folder and the programs that run it. */
export type Cluster = {
  /** Folder of `initdb` and `postgres`. */
  binFolder: string
  dataFolder: string
  /** What the server prints; beside the data folder by convention. */
  logFile: string
  superuserPassword: string
  runAs?: RunAs | undefined
}

export const superuser = 'postgres'

export function clusterUrl({ port, user, password, database }: { port: number; user: string; password: string; database: string }): string {
  return `postgresql://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`
}

/**
 * Creates the data folder with `initdb`: UTF8, the C.UTF-8 rules on every platform where the version has them, passwords
 * everywhere. It appears whole or not at all: an interrupted one is done again.
 */
export async function initCluster(cluster: Cluster, extraArgs: string[] = []): Promise<void> {
  const unfinished = `${cluster.dataFolder}.unfinished`
  const passwordFile = `${cluster.dataFolder}.password`
  rmSync(unfinished, { recursive: true, force: true })
  rmSync(passwordFile, { force: true })
  writeFileSync(passwordFile, cluster.superuserPassword, { mode: 0o600 })
  if (cluster.runAs) chownSync(passwordFile, cluster.runAs.uid, cluster.runAs.gid)
  const args = ['-D', unfinished, '-U', superuser, `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8', ...extraArgs]
  try {
    await runToEnd(join(cluster.binFolder, 'initdb'), args, cluster)
    renameSync(unfinished, cluster.dataFolder)
  } finally {
    rmSync(passwordFile, { force: true })
  }
}

/**
 * Starts `postgres` on loopback, in a session of its own so that neither Ctrl-C nor our death ends it, and waits until it
 * answers. For 5 s a failed start is tried again: just after a crash the dead server's children still hold the data folder.
 */
export async function startServer(cluster: Cluster, port: number, settings: Record<string, string>): Promise<void> {
  const giveUpAt = Date.now() + 5_000
  for (;;) {
    removeStalePid(cluster.dataFolder)
    const child = spawnServer(cluster, port, settings)
    if (await untilReady(cluster, port, child)) return
    if (Date.now() > giveUpAt) throw new SetupError(`PostgreSQL did not start on ${cluster.dataFolder}:\n${lastLines(cluster.logFile)}`)
    await delay(250)
  }
}

/** The process id of the server that runs on this folder; undefined when none does. */
export function runningServer(dataFolder: string): number | undefined {
  const pid = recordedPid(dataFolder)
  return pid !== undefined && isRunning(pid) && commandLine(pid).includes('postgres') ? pid : undefined
}

/** Fast shutdown (SIGINT): open transactions are rolled back, everything committed is kept. Waits until the server is gone. */
export async function stopServer(dataFolder: string): Promise<void> {
  const pid = runningServer(dataFolder)
  if (pid === undefined) return
  process.kill(pid, 'SIGINT')
  const giveUpAt = Date.now() + 30_000
  while (isRunning(pid)) {
    if (Date.now() > giveUpAt) throw new SetupError(`PostgreSQL (process ${pid}) on ${dataFolder} did not stop within 30 s of SIGINT`)
    await delay(20)
  }
}

/** True when a server on this port accepts this superuser and runs on this very data folder. */
export async function answersOn(port: number, cluster: Pick<Cluster, 'dataFolder' | 'superuserPassword'>): Promise<boolean> {
  const client = new pg.Client({
    connectionString: clusterUrl({ port, user: superuser, password: cluster.superuserPassword, database: 'postgres' }),
    connectionTimeoutMillis: 2_000,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ folder: string }>(`select current_setting('data_directory') as folder`)
    return rows[0]?.folder === cluster.dataFolder
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}

/** A port nobody listens on now, on 127.0.0.1. */
export async function freePort(): Promise<number> {
  const port = await tryListen(0)
  if (port === undefined) throw new SetupError('no free port on 127.0.0.1')
  return port
}

export async function isPortFree(port: number): Promise<boolean> {
  return (await tryListen(port)) !== undefined
}

function tryListen(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined))
    })
  })
}

function spawnServer(cluster: Cluster, port: number, settings: Record<string, string>): ChildProcess {
  const fixed = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    logging_collector: 'off',
    log_timezone: 'UTC',
    timezone: 'UTC',
  }
  const args = Object.entries({ ...settings, ...fixed }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  rotateLog(cluster.logFile)
  const log = openSync(cluster.logFile, 'a', 0o600)
  try {
    const child = spawn(join(cluster.binFolder, 'postgres'), ['-D', cluster.dataFolder, ...args], {
      ...surroundings(cluster),
      detached: true,
      stdio: ['ignore', log, log],
    })
    child.unref()
    return child
  } finally {
    closeSync(log)
  }
}

// Resolves with false when the process ended first.
async function untilReady(cluster: Cluster, port: number, child: ChildProcess): Promise<boolean> {
  let ended = false
  child.once('error', () => {
    ended = true
  })
  child.once('exit', () => {
    ended = true
  })
  const giveUpAt = Date.now() + 60_000 // recovery after a crash may take a while
  while (!ended) {
    if (await answersOn(port, cluster)) return true
    if (Date.now() > giveUpAt)
      throw new SetupError(`PostgreSQL on ${cluster.dataFolder} did not answer within 60 s:\n${lastLines(cluster.logFile)}`)
    await delay(15)
  }
  return false
}

// After a reboot the recorded process id may belong to another program: PostgreSQL would then refuse to start.
function removeStalePid(dataFolder: string): void {
  const pid = recordedPid(dataFolder)
  if (pid !== undefined && runningServer(dataFolder) === undefined && isRunning(pid))
    rmSync(join(dataFolder, 'postmaster.pid'), { force: true })
}

function recordedPid(dataFolder: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(dataFolder, 'postmaster.pid'), 'utf8').split('\n')[0])
    return Number.isInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}

// Our own environment stays out: PGDATA, PGPORT or LD_LIBRARY_PATH of the caller must not reach the server.
function surroundings(cluster: Cluster): { cwd: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number } {
  return { cwd: dirname(cluster.dataFolder), env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' }, ...cluster.runAs }
}

function runToEnd(program: string, args: string[], cluster: Cluster): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...surroundings(cluster), stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_096)
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.once('error', (error) => reject(new Error(`${program} could not be started: ${error.message}`, { cause: error })))
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`${program} failed (exit code ${code}):\n${output.trim()}`))))
  })
}

function rotateLog(logFile: string): void {
  const bytes = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0
  if (bytes > 10 * 1024 * 1024) renameSync(logFile, `${logFile}.1`)
}

function lastLines(logFile: string): string {
  return existsSync(logFile) ? readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-12).join('\n') : '(it printed nothing)'
}
