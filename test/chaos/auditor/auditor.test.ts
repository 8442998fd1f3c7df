import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Alteration, erpToMeli, erpToParis, meliSales, parisSales } from '../alterations.ts'
import { type AlteredWorld, startAlteredWorld } from '../altered-world.ts'
import { reportText } from './report.ts'

describe('the ledger auditor', () => {
  let world: AlteredWorld
  beforeAll(async () => {
    world = await startAlteredWorld()
  }, 240_000)
  afterAll(() => world?.running.stop())

  /** The program as `npm run audit:ledgers` runs it. */
  const run = (...args: string[]): Promise<{ code: number; out: string; err: string }> =>
    new Promise((resolve) => {
      const program = fileURLToPath(new URL('main.ts', import.meta.url))
      const child = execFile(process.execPath, [program, ...args], (_error, out, err) => resolve({ code: child.exitCode ?? -1, out, err }))
    })
  const onWorld = (): string[] => {
    const { ledgers, database, home } = world.running
    const named = `odoo=${ledgers.odoo},meli=${ledgers.meli},paris=${ledgers.paris}`
    return ['--database', database.migratorUrl, '--ledgers', named, '--config', `${home}/hub.yaml`, '--quiet-seconds', '0']
  }

  test('finds nothing in a world where every order is where it belongs', async () => {
    const report = await world.check()
    expect(report).toMatchObject({ lost: 0, doubled: 0, unequal: 0, invariants: 0, breaches: [] })
    expect(reportText(report)).toContain('no breach')
    expect(await run(...onWorld())).toMatchObject({ code: 0 })
  })

  test('judges nothing that changed within the quiet window', async () => {
    expect(await world.check(3_600)).toMatchObject({ checked: { erpToMarketplace: 0, marketplaceToErp: 0 }, lost: 0 })
  })

  test('names the argument that it cannot use', async () => {
    expect(await run('--quiet-seconds', 'soon')).toMatchObject({ code: 2, err: expect.stringContaining('--quiet-seconds') })
    expect(await run('--ledgers', 'ebay=x')).toMatchObject({ code: 2, err: expect.stringContaining('--ledgers') })
    expect(await run('--home', '/nowhere')).toMatchObject({ code: 2, err: expect.stringContaining('/nowhere') })
  })

  async function provesRed({ alter, kind, field }: Alteration): Promise<void> {
    const before = new Set((await world.check()).breaches.map((breach) => breach.order))
    const label = await alter(world)
    expect(before.has(label)).toBe(false)
    const ours = (await world.check()).breaches.filter((breach) => breach.order === label)
    expect(
      ours.filter((breach) => breach.kind === kind && field.test(breach.field ?? '')),
      JSON.stringify(ours),
    ).not.toHaveLength(0)
    expect(ours.every((breach) => breach.ledger !== '')).toBe(true)
  }
  const groups = {
    'an order of the ERP at MercadoLibre': erpToMeli,
    'an order of the ERP at Paris': erpToParis,
    'a sale of MercadoLibre': meliSales,
    'a sale of Paris': parisSales,
  }
  for (const [group, alterations] of Object.entries(groups)) {
    describe(`${group} turns it red by`, () => {
      for (const alteration of alterations) test(alteration.name, () => provesRed(alteration))
    })
  }

  describe('a row of the hub that its owner deletes turns it red', () => {
    const remove = async (sql: string, value: string): Promise<void> => {
      const { rowCount } = await world.running.owner.query(sql, [value])
      expect(rowCount).toBeGreaterThan(0)
    }
    const found = async () => (await world.check()).breaches
    const orderOf = (from: 'erpToMeli' | 'erpToParis') => {
      const order = world.fresh[from].pop()
      if (!order) throw new Error('the world has no order left for this case')
      return order
    }
    const deliveries = `SELECT d.id FROM delivery d JOIN binding b ON b.id = d.binding_id WHERE b.reference = $1`

    test('an attempt', async () => {
      await remove(`DELETE FROM attempt WHERE purpose = 'send' AND delivery_id IN (${deliveries})`, `odoo-${orderOf('erpToMeli').id}`)
      expect(await found()).toContainEqual(expect.objectContaining({ kind: 'I5', field: 'attempt' }))
    })
    test('a delivery, named by its order', async () => {
      const reference = `odoo-${orderOf('erpToMeli').id}`
      await remove(`DELETE FROM attempt WHERE delivery_id IN (${deliveries})`, reference)
      await remove(`DELETE FROM delivery WHERE id IN (${deliveries})`, reference)
      expect(await found()).toContainEqual(expect.objectContaining({ kind: 'I12', field: 'delivery', order: reference }))
    })
    test('a binding, named by its order', async () => {
      const { id, name } = orderOf('erpToParis')
      await remove(`DELETE FROM attempt WHERE delivery_id IN (${deliveries})`, `odoo-${id}`)
      await remove(`DELETE FROM delivery WHERE id IN (${deliveries})`, `odoo-${id}`)
      await remove(`DELETE FROM binding WHERE reference = $1`, `odoo-${id}`)
      expect(await found()).toContainEqual(expect.objectContaining({ kind: 'unequal', field: 'binding', order: name }))
    })
    test('an observation, named by its order', async () => {
      const { id, name } = orderOf('erpToParis')
      await remove(`DELETE FROM observation WHERE channel = 'odoo' AND external_id = $1`, String(id))
      expect(await found()).toContainEqual(expect.objectContaining({ kind: 'I3', field: 'observation', order: name }))
    })
    test('a stored webhook', async () => {
      const { owner } = world.running
      for (const sql of [
        `DELETE FROM attempt WHERE inbound_event_id IS NOT NULL`,
        `DELETE FROM inbound_event`,
        `DELETE FROM inbound_request`,
      ])
        await owner.query(sql)
      expect(await found()).toContainEqual(expect.objectContaining({ kind: 'I1', field: 'inbound_request' }))
      const { code, out } = await run(...onWorld())
      expect(code).toBe(1)
      expect(out).toContain('I1')
    })
  })
})
