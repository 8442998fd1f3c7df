import { describe, expect, test } from 'vitest'
import { erpConformance } from './erp.ts'
import { isUp, realOdooWorld } from './odoo-14-world.ts'

const real = {
  url: `http://127.0.0.1:${process.env.REAL_ODOO_PORT ?? '8069'}`,
  pgPort: Number(process.env.REAL_ODOO_PG_PORT ?? '54329'),
}
const up = await isUp(real)
const reason = `no real Odoo 14 answers at ${real.url}: start one with real-odoo14.sh start`
if (!up) console.warn(`skipped: ${reason}`)

describe.skipIf(!up)('on a real server', () => {
  erpConformance('a real Odoo 14', () => realOdooWorld(real))
})

test.runIf(process.env.REQUIRE_ALL === '1')('a real Odoo 14 is there when everything must run', () => {
  expect(up ? 'up' : reason).toBe('up')
})
