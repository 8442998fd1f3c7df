-- What a trace, the dead letters and the incidents read stays an index lookup however much history there is.
CREATE INDEX binding_reference ON binding (upper(reference)) WHERE kind = 'order';
CREATE INDEX inbound_request_refused ON inbound_request (received_at DESC)
  WHERE verdict IN ('bad-signature', 'stale-timestamp', 'malformed') AND body_bytes <= 16384;
CREATE INDEX delivery_open_dead ON delivery (ended_at, id) WHERE state = 'dead' AND resolved_by IS NULL AND archived_at IS NULL;
CREATE INDEX inbound_event_open_dead ON inbound_event (ended_at, id) WHERE state = 'dead' AND resolved_by IS NULL AND archived_at IS NULL;
CREATE INDEX delivery_channel_ended ON delivery (channel, ended_at) WHERE state = 'delivered';
CREATE INDEX binding_missing ON binding (missing_since) WHERE missing_since IS NOT NULL;

-- Whether a refused webhook names an order can only be read in its raw body, which readers may not see: this answers ids and verdicts alone.
-- Of the newest 200 of the last 7 days, so that a flood of refused requests costs a bounded time.
CREATE FUNCTION refusals_naming(order_ids text[]) RETURNS TABLE (id bigint, received_at timestamptz, channel text, verdict text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT r.id, r.received_at, r.channel, r.verdict
  FROM (
    SELECT q.id, q.received_at, q.channel, q.verdict, q.body FROM inbound_request q
    WHERE q.verdict IN ('bad-signature', 'stale-timestamp', 'malformed') AND q.body_bytes <= 16384 AND q.received_at > hub_now() - interval '7 days'
    ORDER BY q.received_at DESC LIMIT 200
  ) r
  -- Whole words of a JSON body alone (`"p-3"`, `"/orders/2000"`): `p-3` is no part of `p-31`.
  WHERE EXISTS (SELECT FROM unnest(order_ids) AS wanted(id), unnest(ARRAY[wanted.id, lower(wanted.id)]) AS spelt(id), unnest(ARRAY['"', '/']) AS before(sign)
    WHERE wanted.id <> '' AND position(convert_to(before.sign || spelt.id || '"', 'UTF8') IN r.body) > 0)
  ORDER BY r.received_at DESC LIMIT 20
$$;
REVOKE ALL ON FUNCTION refusals_naming(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refusals_naming(text[]) TO rosh_operator, rosh_reader;
GRANT SELECT ON plan_token_used TO rosh_operator;

-- What people call an order.
CREATE FUNCTION best_known(wanted bigint) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT value FROM identifier WHERE order_id = wanted
  ORDER BY array_position(ARRAY['client-order-ref', 'erp-name', 'pack', 'marketplace-order', 'reference', 'erp-id', 'bare', 'shipment'], kind), value LIMIT 1
$$;
