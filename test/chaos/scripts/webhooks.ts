import { createHmac } from 'node:crypto'
import type { Bought } from '../made.ts'
import { EVERYTHING } from '../plan.ts'
import type { Stage } from '../stage.ts'
import { expectedOf, perform } from '../workload.ts'
import type { Script } from './script.ts'

const ITEMS = [{ sku: 'SKU-002', quantity: 1, unit_price: 15_990 }]

export const bought = async ({ running }: Stage, more: Record<string, unknown> = {}): Promise<Bought> =>
  (await running.meli('POST', '/admin/purchases', { seller: 1001, items: ITEMS, ...more })) as Bought

const verdicts = async (stage: Stage): Promise<Record<string, number>> => {
  const rows = await stage.rows<{ verdict: string; n: number }>(`SELECT verdict, count(*)::int AS n FROM inbound_request GROUP BY verdict`)
  return Object.fromEntries(rows.map((row) => [row.verdict, row.n]))
}

/** K5: the receiver is told to end while a request is in its hands. */
export const receiverEnds: Script = {
  async run(stage) {
    await stage.calm(...EVERYTHING)
    const node = await stage.victim({ delayMs: 300 }, { apart: true })
    await stage.callbackTo(node.port)
    const sale = await bought(stage)
    await node.fired()
    node.signal('SIGTERM')
    stage.fire('SIGTERM mid-request', `/orders/${sale.order_ids[0]}`)
    await stage.callbackTo(0)
    await node.exited
    return { erpToMarketplace: 0, marketplaceToErp: 1 }
  },
}

/** W1: a hundred copies of each notification at once. */
export const duplicates: Script = {
  async run(stage) {
    await stage.calm(...EVERYTHING)
    await stage.running.meli('PUT', '/admin/settings', { duplicateNotifications: 100 })
    const sales = [await bought(stage, { shipping: 'none' }), await bought(stage, { shipping: 'none', pack: true })]
    stage.fire('100 copies of each notification', sales.map((sale) => sale.order_ids[0]).join(' '))
    await stage.eventually(async () => ((await verdicts(stage)).duplicate ?? 0) >= 150, 'the copies arrive')
    const doubled = await stage.rows(`SELECT FROM inbound_event GROUP BY channel, dedupe_key HAVING count(*) > 1`)
    stage.check(doubled.length === 0, 'a copy is a duplicate, never a second event')
    return { erpToMarketplace: 0, marketplaceToErp: 2 }
  },
}

/** W3: a notification that comes a day late tells nothing new, and is told so. */
export const dayLate: Script = {
  async run(stage) {
    const { running } = stage
    await stage.calm(...EVERYTHING)
    const sale = await bought(stage, { no_notify: true })
    const known = () =>
      stage.rows(
        `SELECT FROM delivery d JOIN silver_order s ON s.id = d.order_id WHERE s.origin = 'mercadolibre:1001' AND d.state = 'delivered'`,
      )
    await stage.eventually(async () => (await known()).length > 0, 'the sweep finds the order')
    await running.meli('POST', `/admin/shipments/${sale.shipment_id}/status`, { status: 'shipped' })
    const shipped = () => stage.rows(`SELECT FROM silver_order WHERE origin = 'mercadolibre:1001' AND fulfilment = 'shipped'`)
    await stage.eventually(async () => (await shipped()).length === 1 && (await stage.underWay()) === '', 'its shipping is known')
    // Without the reconciler, so that nothing but the late notification is an event of the order.
    await letPass(stage, 86_400, ['worker', 'subscriber'])
    const [before] = await stage.rows<{ id: string }>(`SELECT max(id) AS id FROM inbound_event`)
    const resource = `/orders/${sale.order_ids[0]}`
    await running.meli('POST', '/admin/notifications', { topic: 'orders_v2', resource, user_id: 1001 })
    stage.fire('a notification 24 h late', resource)
    const ended = () =>
      stage.rows<{ state: string; reason: string | null }>(
        `SELECT state, reason FROM inbound_event WHERE resource = $1 AND topic = 'orders_v2' AND id > $2 AND state <> 'pending'`,
        [resource, before?.id],
      )
    const [late] = await stage.eventually(async () => ((await ended()).length > 0 ? ended() : undefined), 'the late event ends')
    stage.check(late?.state === 'ignored' && late.reason === 'unchanged', `it tells nothing new: ${late?.state}, ${late?.reason}`)
    stage.check((await shipped()).length === 1, 'and the order is as it was')
    return { erpToMarketplace: 0, marketplaceToErp: 1 }
  },
}

/** Moves the hub's clock while no node runs, so no request is in flight and no lease is in force. */
export async function letPass(stage: Stage, seconds: number, roles: readonly (typeof EVERYTHING)[number][] = EVERYTHING): Promise<void> {
  await stage.endCalm()
  await stage.rows(`UPDATE hub_clock SET shift = shift + $1 * interval '1 s'`, [seconds])
  stage.note(`${seconds} s passed`)
  await stage.calm(...roles)
}

/** W4: one event id, two bodies. */
export const conflicting: Script = {
  async run(stage) {
    const { running } = stage
    await stage.calm(...EVERYTHING)
    const { id } = (await running.paris('POST', '/admin/orders', { buyer: 'Comprador', items: [{ sku: 'SKU-003', qty: 1 }] })) as {
      id: string
    }
    for (const status of ['shipped', 'delivered'])
      await running.paris('POST', `/admin/orders/${id}/emit-webhook`, { status, event_id: 'e-same' })
    stage.fire('one event id with two bodies', id)
    stage.check((await verdicts(stage)).conflict === 1, 'the second body is recorded as a conflict')
    const events = await stage.rows<{ conflict: boolean }>(`SELECT conflict FROM inbound_event WHERE source_event_id = 'e-same'`)
    stage.check(events.length === 2, 'and is an event of its own')
    return { erpToMarketplace: 0, marketplaceToErp: 1 }
  },
}

interface Emitted {
  deliveries: { status_code: number }[]
}

/** W5: valid MAC with an old timestamp, skew of 4 and 6 minutes, a wrong key: exactly the documented ones are taken. */
export const timestamps: Script = {
  async run(stage) {
    const { running } = stage
    await stage.calm(...EVERYTHING)
    await running.paris('PUT', '/admin/webhooks', { standardWebhooks: true, retryDelaysMs: [] })
    const { id } = (await running.paris('POST', '/admin/orders', { buyer: 'Comprador', items: [{ sku: 'SKU-003', qty: 1 }] })) as {
      id: string
    }
    const cases: [Record<string, unknown>, number][] = [
      [{ timestamp_offset_seconds: 0 }, 200],
      [{ timestamp_offset_seconds: -240 }, 200],
      [{ timestamp_offset_seconds: 240 }, 200],
      [{ timestamp_offset_seconds: -360 }, 401],
      [{ timestamp_offset_seconds: 360 }, 401],
      [{ timestamp_offset_seconds: -86_400 }, 401],
      [{ sign_with: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }, 401],
    ]
    for (const [how, wanted] of cases) {
      const { deliveries } = (await running.paris('POST', `/admin/orders/${id}/emit-webhook`, { status: 'shipped', ...how })) as Emitted
      stage.check(deliveries[0]?.status_code === wanted, `${JSON.stringify(how)} is answered ${wanted}, not ${deliveries[0]?.status_code}`)
    }
    stage.fire('timestamps of 0, 4, 6 minutes and a day, a wrong key', id)
    return { erpToMarketplace: 0, marketplaceToErp: 1 }
  },
}

const DEEP = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
const HOSTILE: [string, string | Buffer][] = [
  ['malformed JSON', '{"a":'],
  ['deep nesting', DEEP],
  ['NUL', '{"event_id":"e\\u0000","order_id":"p-1","status":"x","source":"paris","external_ref":null}'],
  ['lone surrogate', '{"event_id":"\\ud800","order_id":"p-1","status":"x","source":"paris","external_ref":null}'],
  ['300 characters of id', `{"event_id":"${'x'.repeat(300)}","order_id":"p-1","status":"x","source":"paris","external_ref":null}`],
  ['a huge number', '{"event_id":1e400,"order_id":99999999999999999999999999}'],
  ['__proto__', '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'],
  ['duplicate keys', '{"event_id":"a","event_id":"b","order_id":"p-1","status":"x"}'],
  ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x22, 0x7d])],
  ['nothing', ''],
]

/** W6: hostile bodies, signed and unsigned, on every door: none is a 5xx, each leaves a request row, and orders go on. */
export const hostileBodies: Script = {
  async run(stage) {
    const { running } = stage
    await stage.calm(...EVERYTHING)
    const { mercadolibre, paris } = running.hub.config
    const doors = [`mercadolibre/${mercadolibre.pathSecret.reveal()}`, 'mercadolibre', 'paris', 'odoo/wrong']
    let sent = 0
    for (const door of doors)
      for (const [name, body] of HOSTILE) {
        const signature = createHmac('sha256', door === 'paris' ? paris.apiSecret.reveal() : mercadolibre.webhookSecret.reveal())
          .update(body)
          .digest('hex')
        for (const headers of [{}, { 'x-paris-signature': signature, 'x-signature': signature }, { 'content-encoding': 'gzip' }]) {
          const status = await posted(`${running.webhooks}/webhooks/${door}`, body, headers)
          sent += 1
          stage.check(status < 500, `${name} at ${door.split('/')[0]} is answered ${status}`)
        }
      }
    const sale = await bought(stage)
    stage.fire(`${sent} hostile bodies`, `/orders/${sale.order_ids[0]}`)
    const stored = Object.values(await verdicts(stage)).reduce((sum, n) => sum + n, 0)
    stage.check(stored >= sent, `every request is on record: ${stored} of ${sent}`)
    stage.check(!Object.hasOwn(Object.prototype, 'polluted'), 'no prototype was changed')
    return { erpToMarketplace: 0, marketplaceToErp: 1 }
  },
}

async function posted(url: string, body: string | Buffer, headers: Record<string, string>): Promise<number> {
  const reply = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })
  await reply.arrayBuffer()
  return reply.status
}

/** W8: notifications are lost for good; the sweep finds the orders. */
export const lostForGood: Script = {
  async run(stage) {
    await stage.running.meli('PUT', '/admin/faults', [{ match: {}, fault: 'lost-webhook' }])
    await stage.running.meli('PUT', '/admin/settings', { missedFeedListsLost: false })
    await stage.calm(...EVERYTHING)
    const began = performance.now()
    const made = await perform(
      stage,
      [0, 1, 2].map(
        (i) =>
          ({ act: 'purchase', seller: i ? 1001 : 1002, pack: i === 1, sku: 'SKU-004', quantity: 1, price: 9_000, told: true }) as const,
      ),
    )
    stage.fire('every notification lost', made.purchases.map((sale) => sale.order_ids[0]).join(' '))
    const known = () => stage.rows(`SELECT FROM silver_order WHERE origin LIKE 'mercadolibre:%'`)
    await stage.eventually(async () => (await known()).length === 3, 'the sweep finds them')
    stage.figures['seconds until the sweep found all'] = Math.round(performance.now() - began) / 1000
    return expectedOf(made)
  },
}

/** W8: the notification of a shipment is lost for good, and the sweep shows no change of its order; it is asked for once a day. */
export const shipmentLostForGood: Script = {
  async run(stage) {
    const { running } = stage
    await stage.calm(...EVERYTHING)
    const sale = await bought(stage)
    const [order] = sale.order_ids
    const isNow = async (fulfilment: string): Promise<boolean> =>
      (await stage.rows(`SELECT FROM silver_order WHERE origin = 'mercadolibre:1001' AND fulfilment = $1`, [fulfilment])).length === 1
    await stage.eventually(async () => (await isNow('to_prepare')) || (await isNow('ready_to_ship')) || undefined, 'the sale is known')
    await running.meli('PUT', '/admin/settings', { disabledTopics: ['shipments', 'orders_v2'] })
    await running.meli('POST', `/admin/shipments/${sale.shipment_id}/status`, { status: 'shipped', tracking_number: 'CL7' })
    stage.fire('the notification of a shipment was lost for good', `/orders/${order}`)
    await letPass(stage, 86_400)
    await stage.eventually(async () => (await isNow('shipped')) || undefined, 'its order was fetched again')
    return { erpToMarketplace: 0, marketplaceToErp: 1 }
  },
}

/** W9: a marketplace tells of our own order before it answers its creation. */
export const toldBeforeAnswered: Script = {
  async run(stage) {
    const { running } = stage
    await running.paris('PUT', '/admin/faults', [{ match: { method: 'POST', path: '^/orders$' }, fault: 'accept-then-hang', times: 2 }])
    await stage.calm(...EVERYTHING)
    const made = await perform(
      stage,
      [0, 1].map((i) => ({ act: 'erp-order', team: 'Paris', sku: 'SKU-001', quantity: 1 + i, price: 5_000 }) as const),
    )
    const there = async () => {
      const { entries } = (await running.paris('GET', '/admin/ledger')) as { entries: { kind: string; act?: string; id: string }[] }
      const created = entries.filter((entry) => entry.kind === 'order' && entry.act === 'created')
      return created.length === 2 ? created : undefined
    }
    for (const { id } of await stage.eventually(there, 'Paris takes both')) {
      await running.paris('POST', `/admin/orders/${id}/emit-webhook`, { status: 'shipped' })
      stage.fire('a webhook before the answer of the create', id)
    }
    return expectedOf(made)
  },
}
