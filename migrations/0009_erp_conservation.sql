-- What goes in is accounted for, in any snapshot: now of the ERP's orders as well. Everything that is counted was written in the transaction that
-- stored the observation. Each order is in one class: quarantined, nothing owed (unconfirmed or cancelled), not routed, or planned, and planned
-- means a version for EVERY channel of its route.
CREATE OR REPLACE VIEW conservation AS
SELECT 'inbound' AS flow,
       count(*) AS taken,
       count(*) FILTER (WHERE state IN ('applied', 'ignored', 'pending', 'dead')) AS accounted
FROM inbound_event
UNION ALL
SELECT 'deliveries', (SELECT coalesce(sum(next_version - 1), 0) FROM binding),
       (SELECT count(*) FROM delivery WHERE state IN ('delivered', 'superseded', 'pending', 'ambiguous', 'dead'))
UNION ALL
SELECT 'erp',
       (SELECT count(*) FROM (
          SELECT o.external_id FROM observation o JOIN silver_order s ON s.id = o.order_id
          WHERE o.channel = 'odoo' AND o.entity = 'order' AND s.origin = 'odoo'
          UNION SELECT erp_id FROM erp_quarantine WHERE resolved_at IS NULL) seen),
       (SELECT count(*) FROM (
          SELECT s.order_key FROM silver_order s
          WHERE s.origin = 'odoo'
            AND (NOT s.confirmed OR s.lifecycle = 'cancelled'
              OR coalesce(jsonb_array_length(s.route -> 'channels'), 0) = 0
              OR NOT EXISTS (
                SELECT FROM jsonb_array_elements_text(s.route -> 'channels') AS owed(channel)
                WHERE NOT EXISTS (SELECT FROM binding b WHERE b.order_id = s.id AND b.channel = owed.channel AND b.kind = 'order' AND b.next_version > 1)))
          UNION SELECT erp_id FROM erp_quarantine WHERE resolved_at IS NULL) told);
