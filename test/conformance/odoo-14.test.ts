import { expect, test } from 'vitest'
import { erpConformance } from './erp.ts'
import { isUp, realOdooWorld } from './odoo-14-world.ts'

const real = {
  url: `http://127.0.0.1:${process.env.REAL_ODOO_PORT ?? '8069'}`,
  pgPort: Number(process.env.REAL_ODOO_PG_PORT ?? '54329'),
}
const reason = `no real Odoo 14 answers at ${real.url}: start one with real-odoo14.sh start`

if (await isUp(real)) {
  erpConformance('a real Odoo 14', () => realOdooWorld(real))
} else if (process.env.REQUIRE_ALL === '1') {
  test('a real Odoo 14 is there', () => expect.fail(reason))
} else {
  console.warn(`skipped: ${reason}`)
  test.skip(`a real Odoo 14 (${reason})`, () => undefined)
}
