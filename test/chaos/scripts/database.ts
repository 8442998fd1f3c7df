import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { assemble } from '../../../src/assembly.ts'
import { loadConfig } from '../../../src/config.ts'
import { hubLogin, ownerLogin } from '../../../src/drivers/postgres/cluster-logins.ts'
import { runningServer } from '../../../src/drivers/postgres/server-process.ts'
import { asSuperuser, type OwnServer, ownServer } from '../../support/own-server.ts'
import { nodeLog } from '../evidence.ts'
import { startRole } from '../node-roles.ts'
import { EVERYTHING } from '../plan.ts'
import type { Stage } from '../stage.ts'
import { knownTransactions } from '../watched-calls.ts'
import { expectedOf, perform, SMALL, workloadOf } from '../workload.ts'
import type { Script } from './script.ts'
import { bought } from './webhooks.ts'

/** A script on a PostgreSQL server of its own, which ends with it. */
function onOwnServer(run: (stage: Stage, server: OwnServer) => ReturnType<Script['run']>, prepare?: (folder: string) => void): Script {
  let server: OwnServer | undefined
  return {
    stage: () => ({
      hub: {
        database: async () => {
          server = await ownServer(prepare)
          return server.clone()
        },
      },
    }),
    async run(stage) {
      if (!server) throw new Error('no server was started')
      stage.atEnd('after', () => server?.end())
      return run(stage, server)
    },
  }
}

/** D1: PostgreSQL is restarted under load, fast and immediate by the seed. */
export const restarted = onOwnServer(async (stage, server) => {
  await stage.calm(...EVERYTHING)
  const acts = workloadOf(stage.plan.seed, { erp: 30, purchases: 6, paris: 4, changes: 0 })
  const made = await perform(stage, acts.slice(0, 20))
  const inFlight = await stage.underWay()
  const mode = stage.plan.seed % 2 ? 'SIGQUIT' : 'SIGINT'
  await server.restart(mode, 500)
  stage.fire(mode === 'SIGQUIT' ? 'immediate restart' : 'fast restart', inFlight)
  const upAt = performance.now()
  const first = `SELECT FROM attempt WHERE outcome = 'ok' AND ended_at > $1`
  const at = new Date().toISOString()
  await stage.eventually(
    async () => (await stage.rows(first, [at]).catch(() => [])).length > 0 || (await stage.underWay().catch(() => 'x')) === '',
    'work goes on',
  )
  stage.figures['seconds to the first success'] = Math.round(performance.now() - upAt) / 1000
  stage.check(performance.now() - upAt < 10_000, 'work goes on within 10 s')
  return expectedOf(await perform(stage, acts.slice(20), made))
})

/** D4: the database is read-only: what cannot be stored is not acknowledged; it recovers by itself. */
export const readOnly = onOwnServer(async (stage, server) => {
  await stage.calm(...EVERYTHING)
  const made = await perform(stage, workloadOf(stage.plan.seed, SMALL))
  const { name } = stage.running.database
  await asSuperuser(server.superuserUrl, `ALTER DATABASE ${name} SET default_transaction_read_only = on`, disconnectAll(name))
  const sale = await bought(stage)
  const resource = `/orders/${sale.order_ids[0]}`
  stage.fire('the database is read-only', `${await stage.underWay()} ${resource}`)
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  const stored = await stage.rows(`SELECT FROM inbound_event WHERE resource = $1`, [resource])
  stage.check(stored.length === 0, 'nothing is stored, so nothing is acknowledged')
  await asSuperuser(server.superuserUrl, `ALTER DATABASE ${name} RESET default_transaction_read_only`, disconnectAll(name))
  const expected = expectedOf(made)
  return { ...expected, marketplaceToErp: expected.marketplaceToErp + 1 }
})

/** D4: the disk of PostgreSQL is full. Needs root, for a small file system in memory. */
export const diskFull = onOwnServer(
  async (stage, server) => {
    const { running } = stage
    stage.atEnd('after', () => unmount(server.folder))
    await stage.calm(...EVERYTHING)
    const made = await perform(stage, workloadOf(stage.plan.seed, SMALL))
    const inFlight = await stage.underWay()
    const junk = join(server.folder, 'postgres', 'junk')
    execFileSync('sh', ['-c', `dd if=/dev/zero of=${junk} bs=64k 2>/dev/null || true`])
    stage.fire('the disk is full', inFlight)
    const body = Buffer.alloc(500_000, 'x')
    const secret = running.hub.config.mercadolibre.pathSecret.reveal()
    let refused = 0
    for (let i = 0; i < 12; i++) {
      const reply = await fetch(`${running.webhooks}/webhooks/mercadolibre/${secret}`, { method: 'POST', body })
      if (reply.status === 503) refused += 1
      await reply.arrayBuffer()
    }
    stage.check(refused > 0, 'what cannot be stored is refused with 503')
    rmSync(junk)
    return expectedOf(made)
  },
  (folder) => {
    mkdirSync(join(folder, 'postgres'))
    execFileSync('sh', ['-c', `mount -t tmpfs -o size=160m,mode=0755 tmpfs ${join(folder, 'postgres')}`])
  },
)

// The server first: what it holds open keeps the file system busy.
function unmount(folder: string): void {
  const storage = join(folder, 'postgres')
  const pid = runningServer(join(storage, 'data'))
  if (pid !== undefined) process.kill(pid, 'SIGQUIT')
  execFileSync('sh', [
    '-c',
    `for i in 1 2 3 4 5 6 7 8 9 10; do umount ${storage} 2>/dev/null && exit 0; sleep 0.3; done; umount -l ${storage}`,
  ])
}

/** What was sent under an intent that is lost is answered by then: margin and timeout of the slowest system of `stage-yaml.ts`. */
const LAST_ANSWER_MS = 2_000

/** D5: failover to a snapshot that is older than what was sent: the reconciler restores one order each by look-up. */
export const staleSnapshot = onOwnServer(async (stage, server) => {
  const { running } = stage
  await stage.calm(...EVERYTHING)
  const acts = workloadOf(stage.plan.seed, SMALL)
  const made = await perform(stage, acts.slice(0, 5))
  await stage.eventually(async () => (await stage.underWay()) === '', 'quiet')
  await stage.endCalm()
  const { name } = running.database
  const snapshot = `${name}_snap`
  // The hub's clock is the machine's here, so both ledgers and rows are placed by it.
  const from = new Date().toISOString()
  await asSuperuser(
    server.superuserUrl,
    disconnectAll(name),
    `CREATE DATABASE ${snapshot} TEMPLATE ${name} OWNER ${ownerLogin} STRATEGY file_copy`,
  )
  await stage.calm(...EVERYTHING)
  await perform(stage, acts.slice(5), made)
  await stage.eventually(async () => (await stage.underWay()) === '', 'quiet again')
  await perform(stage, workloadOf(stage.plan.seed + 1, { erp: 4, purchases: 0, paris: 0, changes: 0 }), made)
  const inFlight = await stage.eventually(() => stage.underWay(), 'work is under way')
  await asSuperuser(
    server.superuserUrl,
    `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`,
    disconnectAll(name),
    `ALTER DATABASE ${name} RENAME TO ${name}_old`,
    `ALTER DATABASE ${snapshot} RENAME TO ${name}`,
  )
  const to = new Date(Date.now() + LAST_ANSWER_MS).toISOString()
  stage.fire('failover to an older snapshot', inFlight)
  return { ...expectedOf(made), lostWindow: { from, to } }
})

const disconnectAll = (name: string): string =>
  `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}' AND pid <> pg_backend_pid()`

const NEAR_THE_LIMIT = 9_007_199_254_000_000

/** D6: every sequence jumps far beyond 32 bits while orders are under way. */
export const bigNumbers: Script = {
  async run(stage) {
    const sequences = await stage.rows<{ name: string }>(
      `SELECT quote_ident(sequencename) AS name FROM pg_sequences WHERE schemaname = 'public'`,
    )
    await stage.calm(...EVERYTHING)
    const made = await perform(stage, workloadOf(stage.plan.seed, SMALL))
    const inFlight = await stage.eventually(() => stage.underWay(), 'work is under way')
    for (const { name } of sequences) await stage.rows(`SELECT setval('${name}', ${NEAR_THE_LIMIT})`)
    stage.fire(`${sequences.length} sequences near 2^53`, inFlight)
    await perform(stage, workloadOf(stage.plan.seed + 1, SMALL), made)
    // What was planned after the jump went the whole way with numbers of that size.
    const beyond = () => stage.rows(`SELECT FROM delivery WHERE id > ${NEAR_THE_LIMIT} AND state = 'delivered'`)
    await stage.eventually(async () => (await beyond()).length > 0, 'a delivery with such a number is delivered')
    return expectedOf(made)
  },
}

const ROWS = 1_000_000

/** D6: a million deliveries; a claim reads by an index, and new orders still come through. */
export const manyRows = onOwnServer(async (stage, server) => {
  const { running, evidence } = stage
  await evidence.endSamples()
  await stage.calm('worker', 'subscriber')
  const size = { erp: 2, purchases: 0, paris: 0, changes: 0 }
  await perform(stage, workloadOf(stage.plan.seed, size))
  const isQuiet = async (): Promise<boolean> => (await stage.underWay()) === ''
  await stage.eventually(async () => (await bindings(stage)) === 2 && (await isQuiet()), 'two orders are delivered')
  await stage.endCalm()
  await fillDeliveries(running.database.name, server)
  stage.figures['ms a claim'] = await claims(stage)
  stage.check(stage.figures['ms a claim'] < 100, `a claim takes ${stage.figures['ms a claim']} ms`)
  await stage.calm('worker', 'subscriber')
  await perform(stage, workloadOf(stage.plan.seed + 1, size))
  const inFlight = await stage.eventually(() => stage.underWay(), 'new orders are under way')
  stage.fire(`${ROWS} deliveries`, inFlight)
  await stage.eventually(async () => (await bindings(stage)) === 4 && (await isQuiet()), 'new orders are delivered beside a million rows')
  // The rows above were planned by nobody, so there is no conservation to judge.
  return null
})

const bindings = async (stage: Stage): Promise<number> =>
  (await stage.rows<{ n: number }>(`SELECT count(*)::int AS n FROM binding WHERE kind = 'order'`))[0]?.n ?? 0

/** A million old versions of the orders that there are; as a replica would write them, since a million look-ups of foreign keys prove nothing. */
async function fillDeliveries(database: string, server: OwnServer): Promise<void> {
  const url = new URL(server.superuserUrl)
  url.pathname = `/${database}`
  await asSuperuser(
    url.href,
    'SET session_replication_role = replica',
    `INSERT INTO delivery (binding_id, channel, kind, order_id, version, generation, desired_id, state, max_tries, ended_at)
     SELECT b.id, b.channel, b.kind, b.order_id, 1000 + g, 1, (SELECT min(id) FROM desired), 'superseded', 12, now()
     FROM (SELECT * FROM binding WHERE kind = 'order' ORDER BY id LIMIT 2) b CROSS JOIN generate_series(1, ${ROWS} / 2) g`,
    'ANALYZE delivery',
  )
}

const CLAIMS = 20

/** Milliseconds of a claim; none of them may read the whole table. */
async function claims(stage: Stage): Promise<number> {
  const { running, evidence } = stage
  const [read, open] = [await readThrough(stage), await connections(stage)]
  const hub = await assemble(running.hub.config, running.database.url, nodeLog(evidence.folder, 'claims'))
  const began = performance.now()
  for (let i = 0; i < CLAIMS; i++) await hub.outbox.claim('mercadolibre:1001', 16)
  const ms = Math.round((performance.now() - began) / CLAIMS)
  await hub.close()
  // What a connection read is counted at its end; one that goes on is up to 10 s late, with what it read while the table was small.
  await stage.eventually(async () => (await connections(stage)) <= open, 'what was read is counted')
  const more = (await readThrough(stage)) - read
  // Also a scan that ends early is one: what comes late is some rows a scan.
  stage.check(more < ROWS / 100, `${CLAIMS} claims read ${more} rows without an index`)
  return ms
}

/** Rows of deliveries that were read without an index so far. */
async function readThrough(stage: Stage): Promise<number> {
  const [row] = await stage.rows<{ n: number }>(`SELECT seq_tup_read::int AS n FROM pg_stat_user_tables WHERE relname = 'delivery'`)
  return row?.n ?? 0
}

async function connections(stage: Stage): Promise<number> {
  const [row] = await stage.rows<{ n: number }>(`SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database()`)
  return row?.n ?? 0
}

/** C3: the database password is changed: what is connected goes on, the old password dies, a node with the new one takes over. */
export const passwordChanged = onOwnServer(async (stage, server) => {
  const { running } = stage
  await stage.calm(...EVERYTHING)
  const made = await perform(stage, workloadOf(stage.plan.seed, SMALL))
  const inFlight = await stage.underWay()
  await asSuperuser(server.superuserUrl, `ALTER ROLE ${hubLogin} PASSWORD 'another password'`)
  stage.fire('the database password was changed', inFlight)
  const more = await perform(stage, workloadOf(stage.plan.seed + 1, { erp: 2, purchases: 0, paris: 0, changes: 0 }), made)
  await stage.eventually(async () => (await stage.underWay()) === '', 'what is connected goes on')
  await stage.endCalm()
  const log = nodeLog(stage.evidence.folder, 'after the password')
  const config = loadConfig(running.env, { demo: false })
  const refused = await assemble(config, running.database.url, log).then(
    async (hub) => hub.close().then(() => false),
    () => true,
  )
  stage.check(refused, 'the old password is dead')
  const url = new URL(running.database.url)
  url.password = 'another password'
  const hub = await assemble(config, url.href, log, { pool: knownTransactions })
  const roles = await Promise.all(EVERYTHING.map((role) => startRole(role, hub)))
  stage.atEnd('before', async () => {
    await Promise.all(roles.map((role) => role.stop()))
    await hub.close()
  })
  return expectedOf(await perform(stage, workloadOf(stage.plan.seed + 2, { erp: 2, purchases: 0, paris: 0, changes: 0 }), more))
})
