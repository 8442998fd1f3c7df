import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { migrate } from '../src/drivers/postgres/migrate.ts'
import { connect } from '../src/drivers/postgres/pool.ts'
import { packageRoot } from '../src/home.ts'
import { emptyDatabase } from './support/database.ts'
import { rowsOf } from './support/rows.ts'

const folder = join(packageRoot, 'migrations')
const LANDED_FIRST = '0007_trace.sql'

test('a database of the first release, with rows in it, goes on after every later migration', async () => {
  const database = await emptyDatabase()
  const first = mkdtempSync(join(tmpdir(), 'rosh-first-release-'))
  const owner = connect({ url: database.migratorUrl, role: null, max: 1, applicationName: 'migrations test' })
  try {
    const all = readdirSync(folder).filter((name) => name.endsWith('.sql'))
    for (const name of all.filter((one) => one <= LANDED_FIRST)) copyFileSync(join(folder, name), join(first, name))
    await migrate({ url: database.migratorUrl, folder: first, log: () => {} })
    const rows = rowsOf(owner)
    for (const channel of ['odoo', 'mercadolibre:1001']) await rows.channel(channel)
    const orderId = await rows.order({ route: { rule: 'default', channels: ['mercadolibre:1001'], skipped: [] } })
    const bindingId = await rows.binding({ orderId, channel: 'mercadolibre:1001' })
    const deliveryId = await rows.delivery({ orderId, channel: 'mercadolibre:1001', bindingId, state: 'pending' })
    await owner.query(`UPDATE delivery SET unfinished = 3 WHERE id = $1`, [deliveryId])
    await rows.attempt({ deliveryId })
    for (const [operation, phase] of [
      ['closed', 'intent'],
      ['closed', 'outcome'],
      ['left', 'intent'],
    ])
      await owner.query(`INSERT INTO audit (actor, body) VALUES ('ana', $1)`, [JSON.stringify({ operation_id: operation, phase })])
    const later = await migrate({ url: database.migratorUrl, folder, log: () => {} })
    expect(later).toEqual(all.filter((name) => name > LANDED_FIRST))
    const { rows: kept } = await owner.query(`SELECT state, suspect, version FROM delivery`)
    expect(kept).toEqual([{ state: 'pending', suspect: true, version: '1' }])
    // What an earlier release left open is closed as well.
    expect((await owner.query(`SELECT operation_id, seq FROM open_intent`)).rows).toEqual([{ operation_id: 'left', seq: '3' }])
    // It may be a backup that was just restored: its first sends are looked up before.
    expect((await owner.query(`SELECT identity FROM database_copy`)).rows).toEqual([{ identity: 'not known' }])
    const { rows: unbalanced } = await owner.query(`SELECT flow FROM conservation WHERE taken <> accounted AND flow <> 'erp'`)
    expect(unbalanced).toEqual([])
  } finally {
    await owner.end()
    await database.drop()
    rmSync(first, { recursive: true })
  }
})
