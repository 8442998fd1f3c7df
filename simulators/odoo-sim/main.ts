import { z } from 'zod'
import { defaultLedgerPath, port, runSimulator, simulatorKey } from '../process.ts'
import { startOdooSim } from './odoo-sim.ts'

const flag = z
  .enum(['true', 'false', '1', '0'])
  .default('false')
  .transform((text) => text === 'true' || text === '1')

await runSimulator({
  name: 'odoo-sim',
  portVariable: 'ODOO_SIM_PORT',
  environment: process.env,
  schema: z.object({
    ODOO_SIM_PORT: port(9300),
    ODOO_SIM_VERSION: z.enum(['14', '19']).default('19'),
    ODOO_SIM_LEDGER_PATH: z.string().default(defaultLedgerPath('odoo-sim')),
    ODOO_SIM_LOG: flag,
    /** Without the delivery module there is no `carrier_tracking_ref`. */
    ODOO_SIM_WITHOUT_DELIVERY: flag,
    ODOO_DB: z.string().default('odoo'),
    ODOO_USER: z.string().default('hub@example.com'),
    ODOO_PASSWORD: z.string().default('change-me'),
    SIMULATOR_KEY: simulatorKey,
  }),
  start: (env) =>
    startOdooSim({
      port: env.ODOO_SIM_PORT,
      version: env.ODOO_SIM_VERSION === '14' ? 14 : 19,
      ledgerPath: env.ODOO_SIM_LEDGER_PATH,
      database: env.ODOO_DB,
      login: env.ODOO_USER,
      password: env.ODOO_PASSWORD,
      key: env.SIMULATOR_KEY,
      withoutDelivery: env.ODOO_SIM_WITHOUT_DELIVERY,
      log: env.ODOO_SIM_LOG,
    }),
})
