-- What goes in is accounted for, in any snapshot: of what was accepted at the door, every request has its events. An event is in one of its states by
-- constraint; what could be lost is the event of a request that was answered with 2xx. The other flows stand as they were.
CREATE OR REPLACE VIEW conservation AS
SELECT 'inbound' AS flow,
       count(*) AS taken,
       count(*) FILTER (WHERE EXISTS (SELECT FROM inbound_event e WHERE e.request_id = r.id)) AS accounted
FROM inbound_request r WHERE r.verdict IN ('accepted', 'conflict')
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
