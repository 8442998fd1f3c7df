import { expectedOf, perform } from '../workload.ts'
import { EVERYTHING } from '../plan.ts'
import type { Stage } from '../stage.ts'
import type { Script } from './script.ts'

const LATE_MS = 2_500

/** M2: marketplaces take longer than our timeout, so every create is accepted late: its answer is lost, and the order comes after. */
export const acceptedLate: Script = {
  stage: () => ({
    yaml: [
      ['settleMs: 1500', 'settleMs: 4000'],
      ['backoffScale: 0.02', 'backoffScale: 0.002'],
    ],
  }),
  async run(stage) {
    const { running } = stage
    await running.meli('PUT', '/admin/profile', { processingMs: LATE_MS })
    await running.paris('PUT', '/admin/profile', { processingMs: LATE_MS })
    await stage.calm(...EVERYTHING)
    const expected = expectedOf(await perform(stage, erpOrders(stage, 8)))
    await timedOut(stage, 'accepted later than our timeout')
    return expected
  },
}

/** Notes the first send whose answer never came, with its order. */
async function timedOut(stage: Stage, fault: string): Promise<void> {
  const sql = `SELECT b.reference FROM attempt a JOIN delivery d ON d.id = a.delivery_id JOIN binding b ON b.id = d.binding_id
    WHERE a.purpose = 'send' AND a.outcome = 'unknown' ORDER BY a.id LIMIT 1`
  const first = await stage.eventually(
    async () => (await stage.running.owner.query<{ reference: string }>(sql)).rows[0],
    'a send without an answer',
  )
  stage.fire(fault, first.reference)
}

function erpOrders(stage: Stage, count: number) {
  return Array.from({ length: count }, (_, i) => ({
    act: 'erp-order' as const,
    team: i % 2 ? ('Paris' as const) : ('MercadoLibre' as const),
    sku: 'SKU-001',
    quantity: 1 + Math.floor(stage.random() * 3),
    price: 5_000,
  }))
}
