import { erpConformance } from './erp.ts'
import { odooSimWorld } from './odoo-sim-world.ts'

erpConformance('odoo-sim as Odoo 14', () => odooSimWorld(14))
erpConformance('odoo-sim as Odoo 19', () => odooSimWorld(19))
