import type { Erased, PersonalData, PersonalExport } from '../../ports/personal-data.ts'
import type { PersonalVault } from './personal.ts'
import { noteEffect } from './operation-effect.ts'
import { type Pool, transaction } from './pool.ts'

/** Needs the roles rosh_worker (which may open what is sealed) and rosh_operator (which may erase). */
export function postgresPersonalData({ worker, operator, vault }: { worker: Pool; operator: Pool; vault: PersonalVault }): PersonalData {
  return {
    read: (orderId) => read(worker, vault, orderId),
    erase: (orderId, operationId) =>
      transaction(operator, async (client) => {
        const { rows } = await client.query<Erased>('SELECT keys, observations, requests, attempts FROM erase_person($1)', [orderId])
        if (rows[0]) await noteEffect(client, operationId, { ...rows[0] })
        return rows[0] ?? null
      }),
  }
}

interface OrderRow {
  key_id: string | null
  personal: Buffer | null
  erased_at: string | null
}

interface ObservationRow {
  channel: string
  entity: string
  external_id: string
  observed_at: string
  personal: Buffer
}

async function read(pool: Pool, vault: PersonalVault, orderId: string): Promise<PersonalExport | null> {
  const found = await pool.query<OrderRow>('SELECT key_id, personal, erased_at FROM silver_order WHERE id = $1', [orderId])
  const [order] = found.rows
  if (!order) return null
  const open = (sealed: Buffer | null) => (sealed && order.key_id ? vault.open(order.key_id, orderId, sealed) : Promise.resolve(null))
  const observed = await pool.query<ObservationRow>(
    'SELECT channel, entity, external_id, observed_at, personal FROM observation WHERE order_id = $1 AND personal IS NOT NULL ORDER BY id',
    [orderId],
  )
  return {
    orderId,
    erasedAt: order.erased_at,
    personal: await open(order.personal),
    observations: await Promise.all(
      observed.rows.map(async (row) => ({
        channel: row.channel,
        entity: row.entity,
        externalId: row.external_id,
        observedAt: row.observed_at,
        personal: await open(row.personal),
      })),
    ),
    requests: await requestsOf(pool, orderId),
    texts: await textsOf(pool, orderId),
  }
}

async function requestsOf(pool: Pool, orderId: string): Promise<PersonalExport['requests']> {
  const { rows } = await pool.query<{ id: string; received_at: string; channel: string | null; body: Buffer }>(
    `SELECT r.id, r.received_at, r.channel, r.body FROM inbound_request r
     WHERE r.body IS NOT NULL AND r.id IN (SELECT e.request_id FROM events_of_order($1) e UNION ALL SELECT refusals_of_order($1)) ORDER BY r.id`,
    [orderId],
  )
  return rows.map((row) => ({ id: row.id, receivedAt: row.received_at, channel: row.channel, body: textOf(row.body) }))
}

async function textsOf(pool: Pool, orderId: string): Promise<PersonalExport['texts']> {
  const { rows } = await pool.query<PersonalExport['texts'][number]>(
    `SELECT a.id AS attempt, a.channel, a.their_text AS text FROM attempt a
     WHERE a.their_text IS NOT NULL AND (a.delivery_id IN (SELECT d.id FROM delivery d WHERE d.order_id = $1)
       OR a.inbound_event_id IN (SELECT e.id FROM events_of_order($1) e)) ORDER BY a.id`,
    [orderId],
  )
  return rows
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}
