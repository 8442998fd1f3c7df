import { EVERYTHING } from '../plan.ts'
import type { Stage } from '../stage.ts'
import { type Declared, erpOrder, withIncidents } from './incident.ts'
import type { Script } from './script.ts'

const REFUSALS = [400, 404, 422]

/** M6: a refusal for good is one attempt and a dead letter; a conflict is read again and then delivered. */
export const permanentErrors: Script = {
  async run(stage) {
    const { running } = stage
    await stage.calm(...EVERYTHING)
    const statuses = [...REFUSALS, 409]
    const orders = await Promise.all(statuses.map(() => erpOrder(stage, { state: 'draft' })))
    const rules = orders.map(({ id }, i) => ({
      match: { method: 'POST', path: '^/orders$', body: `"odoo-${id}"` },
      fault: 'status',
      status: statuses[i],
      body: '{"message":"no","error":"refused","status":400,"cause":[]}',
      ...(statuses[i] === 409 ? { times: 1 } : {}),
    }))
    await running.meli('PUT', '/admin/faults', rules)
    for (const { id } of orders) await running.odoo('POST', `/admin/orders/${id}/confirm`)
    const dead: Declared[] = []
    for (const [i, { id, name }] of orders.entries()) {
      const sends = await settledSends(stage, `odoo-${id}`)
      stage.fire(`status ${statuses[i]} on a create`, `odoo-${id}`)
      if (statuses[i] === 409) {
        stage.check(sends.state === 'delivered', 'a conflict is read again and ends delivered')
        continue
      }
      stage.check(sends.sends === 1, `status ${statuses[i]} is one attempt, not ${sends.sends}`)
      dead.push({ reference: name, cause: 'rejected-by-target', state: 'dead', channel: 'mercadolibre:1001' })
    }
    return withIncidents(stage, { erpToMarketplace: 1, marketplaceToErp: 0 }, dead)
  },
}

async function settledSends(stage: Stage, reference: string): Promise<{ state: string; sends: number }> {
  const sql = `SELECT d.state, (SELECT count(*)::int FROM attempt a WHERE a.delivery_id = d.id AND a.purpose = 'send') AS sends
    FROM delivery d JOIN binding b ON b.id = d.binding_id WHERE b.reference = $1 AND d.state IN ('dead', 'delivered')`
  return stage.eventually(async () => (await stage.rows<{ state: string; sends: number }>(sql, [reference]))[0], `${reference} ends`)
}
