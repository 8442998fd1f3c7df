import type { PoolClient } from './pool.ts'

/** The live orders that a target shows under our reference. */
export interface Copies {
  bindingId: string
  ids: readonly string[]
}

/** More than one is a drift, kept with every id on the binding until one alone is left. */
export async function recordCopies(client: PoolClient, rows: readonly Copies[]): Promise<void> {
  if (rows.length === 0) return
  await client.query(RECORD, [JSON.stringify(rows)])
}

const RECORD = `
  WITH item AS (
    SELECT i."bindingId" AS id, CASE WHEN jsonb_array_length(i.ids) > 1 THEN i.ids END AS ids
    FROM jsonb_to_recordset($1::jsonb) AS i("bindingId" bigint, ids jsonb)
  ), marked AS (
    UPDATE binding b SET duplicates = i.ids FROM item i
    WHERE b.id = i.id AND b.kind = 'order' AND (b.duplicates IS DISTINCT FROM i.ids OR i.ids IS NOT NULL)
    RETURNING b.order_id, b.channel, b.reference, b.duplicates
  ), cleared AS (
    UPDATE drift d SET resolved_at = hub_now() FROM marked m
    WHERE m.duplicates IS NULL AND d.order_id = m.order_id AND d.channel = m.channel AND d.kind = 'duplicate' AND d.resolved_at IS NULL
  )
  INSERT INTO drift (order_id, channel, kind, cause, fields)
  SELECT order_id, channel, 'duplicate', 'duplicated-at-target',
    jsonb_build_array(jsonb_build_object('field', 'orders', 'hub', '1', 'there', (SELECT string_agg(id, ', ') FROM jsonb_array_elements_text(duplicates) AS id)))
  FROM marked WHERE duplicates IS NOT NULL
  ON CONFLICT (order_id, channel, kind) WHERE resolved_at IS NULL DO UPDATE SET seen_at = hub_now(), fields = excluded.fields`

/**
 * What fetches showed of orders that carry a reference of ours: another id than the bound one is a copy while its newest observation is no
 * cancellation. Sweeps and notifications bring it, whoever made it.
 */
export async function recordSeenCopies(
  client: PoolClient,
  seen: readonly { orderId: string; channel: string; externalId: string }[],
): Promise<void> {
  if (seen.length === 0) return
  const { rows } = await client.query<{ bindingId: string; ids: string[] }>(SEEN, [JSON.stringify(seen)])
  await recordCopies(client, rows)
}

const SEEN = `
  WITH touched AS (
    SELECT DISTINCT b.id, b.order_id, b.channel, b.external_id, b.observed ->> 'lifecycle' AS lifecycle
    FROM jsonb_to_recordset($1::jsonb) AS i("orderId" bigint, channel text, "externalId" text)
    JOIN binding b ON b.order_id = i."orderId" AND b.channel = i.channel AND b.kind = 'order'
    WHERE b.duplicates IS NOT NULL OR b.external_id IS DISTINCT FROM i."externalId"
  ), newest AS (
    SELECT DISTINCT ON (t.id, o.external_id) t.id, o.external_id, o.body ->> 'lifecycle' AS lifecycle
    FROM touched t JOIN observation o ON o.order_id = t.order_id AND o.channel = t.channel AND o.entity = 'order'
      AND o.body -> 'identifiers' @> '[{"kind": "reference"}]'
    ORDER BY t.id, o.external_id, o.fetch_no DESC, o.id DESC
  ), live AS (
    SELECT id, external_id FROM newest WHERE lifecycle IS DISTINCT FROM 'cancelled'
    UNION
    SELECT t.id, t.external_id FROM touched t
    WHERE t.external_id IS NOT NULL AND t.lifecycle IS DISTINCT FROM 'cancelled'
      AND NOT EXISTS (SELECT FROM newest n WHERE n.id = t.id AND n.external_id = t.external_id)
  )
  SELECT t.id AS "bindingId", coalesce((SELECT jsonb_agg(l.external_id ORDER BY l.external_id) FROM live l WHERE l.id = t.id), '[]') AS ids
  FROM touched t`

/** Bindings at the ERP whose reference is doubled there, by the ERP's own count; those that were and no longer are come with one id or none. */
export async function recordErpCopies(
  client: PoolClient,
  doubled: readonly { origin: string; reference: string; erpIds: readonly string[] }[],
): Promise<void> {
  const { rows } = await client.query<{ bindingId: string; ids: string[] }>(
    `WITH item AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS i(origin text, reference text, "erpIds" jsonb))
     SELECT b.id AS "bindingId", i."erpIds" AS ids
     FROM item i JOIN binding b ON b.channel = 'odoo' AND b.kind = 'order' AND b.reference = i.reference
     JOIN silver_order s ON s.id = b.order_id AND s.origin = i.origin
     UNION ALL
     SELECT b.id, '[]' FROM binding b JOIN silver_order s ON s.id = b.order_id
     WHERE b.channel = 'odoo' AND b.duplicates IS NOT NULL
       AND NOT EXISTS (SELECT FROM item i WHERE i.reference = b.reference AND i.origin = s.origin)`,
    [JSON.stringify(doubled)],
  )
  await recordCopies(client, rows)
}
