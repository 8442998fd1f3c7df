import { spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { migrate } from '../../../src/drivers/postgres/migrate.ts'
import { connect } from '../../../src/drivers/postgres/pool.ts'
import { packageRoot } from '../../../src/home.ts'
import { emptyDatabase } from '../../support/database.ts'
import { LONGEST_LEASE_MS } from '../node-roles.ts'
import { olderBuild } from '../older-build.ts'
import { EVERYTHING, type Role } from '../plan.ts'
import type { Stage } from '../stage.ts'
import { expectedOf, perform, SMALL, workloadOf, type WorkloadSize } from '../workload.ts'
import type { Script } from './script.ts'

/** R1: three workers want the same deliveries. */
export const manyWorkers: Script = {
  async run(stage) {
    for (let i = 0; i < 2; i++) await stage.victim(null, { role: 'worker' })
    await stage.calm(...EVERYTHING)
    const made = await perform(stage, workloadOf(stage.plan.seed, { ...SMALL, erp: 12 }))
    stage.fire('three workers on one outbox', await stage.underWay())
    return expectedOf(made)
  },
}

/** R3: the clock of one worker is an hour ahead or behind, by the seed, and it dies with an order in hand; a right and a wrong one go on. */
export const wrongClock: Script = {
  async run(stage) {
    const ahead = stage.plan.seed % 2 ? 3_600_000 : -3_600_000
    const node = await stage.victim({}, { clockAheadMs: ahead })
    await stage.calm('subscriber', 'reconciler')
    const made = await perform(stage, workloadOf(stage.plan.seed, { ...SMALL, erp: 12 }))
    const fired = await node.fired()
    stage.fire(`clock ${ahead / 3_600_000} h`, fired?.inFlight ?? '')
    // Only now, or they could have taken every order before it had one.
    await stage.victim(null, { role: 'worker', clockAheadMs: ahead })
    await stage.calm('worker')
    return expectedOf(made)
  },
}

/** P1 to P3: a delivery that throws, ends the process, or freezes it, each time; the others of its batch go on. */
export const poisonous: Script = {
  async run(stage) {
    const { victim } = stage.plan
    await stage.calm('subscriber')
    const acts = workloadOf(stage.plan.seed, { erp: 4, purchases: 1, paris: 0, changes: 0 })
    const made = await perform(stage, acts)
    const order = made.erp.find((one) => one.team === 'MercadoLibre')
    if (!order || !victim) throw new Error('nothing to poison')
    const reference = `odoo-${order.id}`
    const poisoned = () =>
      stage.rows(`SELECT FROM delivery d JOIN binding b ON b.id = d.binding_id WHERE b.reference = $1 AND d.cause = 'poison'`, [reference])
    for (let death = 0; death < MOST_DEATHS && (await poisoned()).length === 0; death++) {
      const node = await stage.victim({ reference, nth: 1 })
      const fired = await node.fired(20_000)
      if (!fired) break
      if (victim.action === 'kill') await node.exited
      // Nobody sends SIGCONT: whoever watches a frozen worker ends it.
      if (victim.action === 'stop') await stage.eventually(() => Promise.resolve(node.isFrozen() || undefined), 'the worker is frozen')
      await node.end()
      await stage.rows(`UPDATE hub_clock SET shift = shift + $1 * interval '1 ms'`, [LONGEST_LEASE_MS * 2])
    }
    await stage.calm('worker', 'reconciler')
    await stage.eventually(async () => (await poisoned()).length > 0, 'the poison is named')
    const others = () =>
      stage.rows(
        `SELECT FROM delivery d JOIN binding b ON b.id = d.binding_id WHERE b.reference <> $1 AND d.channel <> 'odoo' AND d.state = 'delivered' AND d.kind = 'order'`,
        [reference],
      )
    await stage.eventually(async () => (await others()).length === 3, 'the others are delivered')
    return null
  },
}

const MOST_DEATHS = 12

/** S1: a migration adds a column, an index and a backfill while the present binary works, and goes on working on the new schema. */
export const migratedUnderLoad: Script = {
  async run(stage) {
    await stage.calm(...EVERYTHING)
    const acts = workloadOf(stage.plan.seed, { erp: 12, purchases: 3, paris: 2, changes: 0 })
    const made = await perform(stage, acts.slice(0, 9))
    const inFlight = await stage.underWay()
    const watching = longestLock(stage)
    try {
      await migrate({ url: stage.running.database.migratorUrl, folder: nextMigrations(), log: () => {} })
      stage.fire('a column, an index and a backfill', inFlight)
      await perform(stage, acts.slice(9), made)
    } finally {
      stage.figures['ms of the longest lock wait'] = await watching.end()
    }
    stage.check((stage.figures['ms of the longest lock wait'] ?? 0) < 1_000, 'no lock is waited for longer than 1 s')
    return expectedOf(made)
  },
}

function nextMigrations(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rosh-migrations-'))
  for (const name of readdirSync(join(packageRoot, 'migrations'))) copyFileSync(join(packageRoot, 'migrations', name), join(folder, name))
  writeFileSync(
    join(folder, '9999_of_the_next_version.sql'),
    `ALTER TABLE delivery ADD COLUMN next_version_note text;
     CREATE INDEX delivery_next_version ON delivery (channel, created_at);
     UPDATE delivery SET next_version_note = state WHERE state = 'delivered';`,
  )
  return folder
}

/**
 * S2: the build before the newest migration works beside this one, as while an upgrade is under way. A worker of one dies with an order in hand,
 * by the seed the older one's or this one's; only a worker of the other is left to take it over.
 */
export const twoBuilds: Script = {
  async run(stage) {
    const build = olderBuild(join(stage.running.home, 'older-build'))
    const older = (role: Role) => stage.victim(null, { role, build })
    const olderDies = stage.plan.seed % 2 === 1
    const [receiver, node] = await Promise.all([
      older('receiver'),
      stage.victim({}, olderDies ? { build } : {}),
      older('subscriber'),
      older('reconciler'),
      stage.calm('subscriber', 'reconciler'),
    ])
    await stage.callbackTo(receiver.port)
    const made = await perform(stage, workloadOf(stage.plan.seed, UPGRADE))
    await node.fired()
    await (olderDies ? stage.calm('worker') : older('worker'))
    return expectedOf(made)
  },
}

/** S3: the build before the newest migration works alone on the schema of this one, and a worker of it dies. */
export const olderAlone: Script = {
  async run(stage) {
    const build = olderBuild(join(stage.running.home, 'older-build'))
    const older = (role: Role) => stage.victim(null, { role, build })
    const [receiver, node] = await Promise.all([older('receiver'), stage.victim({}, { build }), older('subscriber'), older('reconciler')])
    await stage.callbackTo(receiver.port)
    const made = await perform(stage, workloadOf(stage.plan.seed, UPGRADE))
    await node.fired()
    await older('worker')
    return expectedOf(made)
  },
}

const UPGRADE: WorkloadSize = { erp: 10, purchases: 4, paris: 2, changes: 0 }

/** Samples how long any session of the hub has waited for a lock; by the hub's own login, since PostgreSQL tells nobody else. */
function longestLock({ running }: Stage): { end(): Promise<number> } {
  const pool = connect({ url: running.database.url, role: null, max: 1, applicationName: 'lock watch' })
  let longest = 0
  let isOver = false
  const sampling = (async () => {
    while (!isOver) {
      const { rows } = await pool.query<{ ms: number }>(
        `SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start) * 1000), 0)::int AS ms FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name LIKE 'rosh%'`,
      )
      longest = Math.max(longest, rows[0]?.ms ?? 0)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })().then(
    () => null,
    (error: Error) => error,
  )
  return {
    async end() {
      isOver = true
      const failed = await sampling
      await pool.end()
      if (failed) throw failed
      return longest
    },
  }
}

/** K15: the migrator dies midway; the same migrations then come to the same schema. */
export const migratorDies: Script = {
  async run(stage) {
    await stage.calm('subscriber')
    const made = await perform(stage, workloadOf(stage.plan.seed, SMALL))
    const inFlight = await stage.eventually(() => stage.underWay(), 'an order is under way')
    const half = await emptyDatabase()
    const program = fileURLToPath(new URL('../run-migrator.ts', import.meta.url))
    const child = spawn(process.execPath, [program], {
      env: { PATH: process.env.PATH, MIGRATE: JSON.stringify({ url: half.migratorUrl, dieAfter: 2 + (stage.plan.seed % 3) }) },
      stdio: 'ignore',
    })
    const code = await new Promise((resolve) => child.once('exit', (status, signal) => resolve(signal ?? status)))
    stage.fire('the migrator was killed midway', inFlight)
    await stage.calm('worker', 'reconciler')
    stage.check(code === 'SIGKILL', `it died: ${String(code)}`)
    await migrate({ url: half.migratorUrl, folder: join(packageRoot, 'migrations'), log: () => {} })
    const pool = connect({ url: half.migratorUrl, role: null, max: 1, applicationName: 'half' })
    const columns = `SELECT string_agg(table_name || '.' || column_name || ' ' || data_type, ',' ORDER BY table_name, column_name) AS all FROM information_schema.columns WHERE table_schema = 'public'`
    const [{ all: rerun } = { all: '' }] = (await pool.query<{ all: string }>(columns)).rows
    await pool.end()
    await half.drop()
    const [{ all: whole } = { all: '' }] = await stage.rows<{ all: string }>(columns)
    stage.check(rerun === whole, 'the rerun comes to the same schema')
    return expectedOf(made)
  },
}
