import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { packageRoot } from '../../home.ts'
import { attachEmbedded, type Instance, startEmbedded, stopEmbedded } from './embedded.ts'
import { migrate } from './migrate.ts'
import { isRunning } from './process-table.ts'

// Starts and stops of a real server: slow on a busy machine.
vi.setConfig({ testTimeout: 90_000 })

let home: string
const said: string[] = []
const log = (text: string) => said.push(text)

beforeAll(() => {
  const outer = mkdtempSync(join(tmpdir(), 'rosh-embedded-'))
  chmodSync(outer, 0o755) // as root the server is another user, who must be able to pass
  home = join(outer, 'home')
})

afterAll(async () => {
  await stopEmbedded({ home })
  rmSync(join(home, '..'), { recursive: true })
})

async function ask(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

const serverPid = (instance: Instance) => Number(readFileSync(join(instance.dataFolder, 'postmaster.pid'), 'utf8').split('\n')[0])

const startProgram = `import { startEmbedded } from ${JSON.stringify(join(import.meta.dirname, 'embedded.ts'))}
console.log(JSON.stringify(await startEmbedded({ home: process.argv[1], log: () => {} })))
setInterval(() => {}, 1000)`

function starter(): { started: Promise<Instance>; kill(): Promise<void> } {
  const child = spawn(process.execPath, ['--input-type=module', '-e', startProgram, home], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  const started = new Promise<Instance>((resolve, reject) => {
    child.stdout.once('data', (line: Buffer) => resolve(JSON.parse(line.toString()) as Instance))
    child.once('exit', () => reject(new Error('the starter ended before it had a server')))
  })
  return {
    started,
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

test('before the first start there is nothing to attach to', async () => {
  expect(await attachEmbedded({ home })).toEqual({ kind: 'hub-not-running' })
  await stopEmbedded({ home })
})

test('two starters at once get one server, which outlives both when they are killed', async () => {
  const [one, two] = [starter(), starter()]
  const instances = await Promise.all([one.started, two.started])
  expect(instances.filter(({ attached }) => attached)).toHaveLength(1)
  expect(instances[0].databaseUrl).toBe(instances[1].databaseUrl)
  await Promise.all([one.kill(), two.kill()])
  const attached = (await attachEmbedded({ home })) as Instance
  expect(attached).toMatchObject({ port: instances[0].port, dataFolder: instances[0].dataFolder, attached: true })
  expect(await startEmbedded({ home, log })).toEqual(attached)
})

test('the hub logs in with few rights, the migrations with the rights to make roles', async () => {
  const { databaseUrl, migratorUrl } = (await attachEmbedded({ home })) as Instance
  const rights = 'select current_user::text as name, rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user'
  expect(await ask(databaseUrl, rights)).toEqual([{ name: 'rosh_login', rolsuper: false, rolcreaterole: false, rolcreatedb: false }])
  expect(await ask(migratorUrl, rights)).toEqual([{ name: 'rosh_migrator', rolsuper: false, rolcreaterole: true, rolcreatedb: false }])
  expect(await migrate({ url: migratorUrl, folder: join(packageRoot, 'migrations'), log })).toContain('0001_roles_and_clock.sql')
  const now = `select pg_has_role('rosh_worker', 'usage') as worker, hub_now() is not null as clock`
  expect(await ask(databaseUrl, now)).toEqual([{ worker: true, clock: true }])
  await expect(ask(databaseUrl, 'drop table hub_clock')).rejects.toThrow(/must be owner/)
})

test('it keeps what it commits, listens on loopback and wants a password', async () => {
  const { databaseUrl, migratorUrl, port } = (await attachEmbedded({ home })) as Instance
  const settings = await ask(
    databaseUrl,
    `select name, setting from pg_settings where name in ('fsync', 'listen_addresses', 'max_connections', 'min_wal_size', 'server_encoding') order by name`,
  )
  expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toEqual({
    fsync: 'on',
    listen_addresses: '127.0.0.1',
    max_connections: '200',
    min_wal_size: '512',
    server_encoding: 'UTF8',
  })
  await expect(ask(`postgresql://rosh_migrator:wrong@127.0.0.1:${port}/rosh`, 'select 1')).rejects.toThrow(/password authentication failed/)
  expect(statSync(join(home, 'postgres.json')).mode & 0o777).toBe(0o600)
  expect(await ask(migratorUrl, `select lower('ÑANDÚ') as lower`)).toEqual([{ lower: 'ñandú' }])
})

test('after a crash of the server the next start recovers what was committed', async () => {
  const before = (await attachEmbedded({ home })) as Instance
  await ask(before.migratorUrl, 'create table kept as select 1 as id')
  process.kill(serverPid(before), 'SIGKILL')
  const after = await startEmbedded({ home, log })
  expect(after.port).toBe(before.port)
  expect(await ask(after.migratorUrl, 'select id from kept')).toEqual([{ id: 1 }])
})

test('a stop is complete, and the next start moves away from a port that another program took', async () => {
  const { port, dataFolder } = (await attachEmbedded({ home })) as Instance
  const pid = serverPid({ dataFolder } as Instance)
  await stopEmbedded({ home })
  expect(isRunning(pid)).toBe(false)
  expect(await attachEmbedded({ home })).toEqual({ kind: 'hub-not-running' })
  const squatter = await listen(port)
  // After a reboot the recorded process id may be another program's, ours for instance.
  writeFileSync(join(dataFolder, 'postmaster.pid'), `${process.pid}\n${dataFolder}\n`)
  const moved = await startEmbedded({ home, log })
  expect(moved.port).not.toBe(port)
  expect(said).toContain(`Port ${port} is taken by another program: PostgreSQL moves to ${moved.port}`)
  expect(await ask(moved.migratorUrl, 'select id from kept')).toEqual([{ id: 1 }])
  squatter.close()
  await stopEmbedded({ home })
})

test('the data folder of another major version is refused with the way out', async () => {
  const { dataFolder } = JSON.parse(readFileSync(join(home, 'postgres.json'), 'utf8')) as { dataFolder: string }
  const file = join(dataFolder, 'PG_VERSION')
  const version = readFileSync(file, 'utf8')
  writeFileSync(file, '12\n')
  await expect(startEmbedded({ home, log })).rejects.toThrow(/was made by PostgreSQL 12, this release brings PostgreSQL 18/)
  writeFileSync(file, version)
})

test('a start that PostgreSQL refuses shows its own words', async () => {
  const { dataFolder } = JSON.parse(readFileSync(join(home, 'postgres.json'), 'utf8')) as { dataFolder: string }
  const file = join(dataFolder, 'postgresql.auto.conf')
  const settings = readFileSync(file, 'utf8')
  writeFileSync(file, `no_such_setting = 'on'\n`)
  await expect(startEmbedded({ home, log })).rejects.toThrow(/did not start[^]*no_such_setting/)
  writeFileSync(file, settings)
})

test('a damaged or missing record is named, not replaced', async () => {
  const file = join(home, 'postgres.json')
  writeFileSync(file, '{}')
  await expect(attachEmbedded({ home })).rejects.toThrow(/postgres\.json is damaged/)
  rmSync(file)
  await expect(startEmbedded({ home, log })).rejects.toThrow(/postgres\.json is missing, which holds the passwords/)
})

test.runIf(process.getuid?.() === 0)('as root, data that the server cannot reach moves elsewhere', async () => {
  const closed = mkdtempSync(join(tmpdir(), 'rosh-closed-')) // for its owner only
  const inside = join(closed, 'home')
  const elsewhere = join('/var/lib/rosh', createHash('sha256').update(inside).digest('hex').slice(0, 16))
  onTestFinished(async () => {
    await stopEmbedded({ home: inside })
    rmSync(elsewhere, { recursive: true })
    rmSync(closed, { recursive: true })
  })
  const instance = await startEmbedded({ home: inside, log })
  expect(instance.dataFolder).toBe(join(elsewhere, 'postgres', 'data'))
  expect(said).toContain(`The user postgres cannot enter ${inside}: PostgreSQL keeps its data in ${elsewhere}`)
  rmSync(inside, { recursive: true })
  const anew = await startEmbedded({ home: inside, log })
  expect(anew).toMatchObject({ dataFolder: instance.dataFolder, attached: false })
  expect(said.at(-2)).toContain(`The data of a former ${inside} was moved to ${instance.dataFolder}.left-over-`)
})

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port }, () => resolve(server))
  })
}
