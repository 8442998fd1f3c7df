-- Which order an inbound event speaks of. An event is tied when it ends; what ended before its order was known is found by the key that it names, at
-- its own channel alone: two accounts may number their orders alike.
CREATE INDEX inbound_event_untied ON inbound_event (channel, resource) WHERE order_id IS NULL AND state <> 'pending';

CREATE FUNCTION event_keys_of_order(wanted bigint) RETURNS TABLE (channel text, order_key text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT s.origin, s.order_key FROM silver_order s WHERE s.id = wanted
  UNION SELECT b.channel, b.external_id FROM binding b WHERE b.order_id = wanted AND b.kind = 'order' AND b.external_id IS NOT NULL
  -- Identifiers are kept in upper case, keys as the channel spells them.
  UNION SELECT i.channel, spelt.key FROM identifier i, unnest(ARRAY[i.value, lower(i.value)]) AS spelt(key)
  WHERE i.order_id = wanted AND i.kind IN ('marketplace-order', 'pack')
$$;

CREATE FUNCTION events_of_order(wanted bigint) RETURNS SETOF inbound_event LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT * FROM inbound_event e WHERE e.order_id = wanted
  UNION ALL
  SELECT e.* FROM event_keys_of_order(wanted) k JOIN inbound_event e ON e.order_key = k.order_key AND e.channel = k.channel WHERE e.order_id IS NULL
$$;

CREATE FUNCTION order_of_event(at_channel text, of_resource text, key text) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(
    (SELECT e.order_id FROM inbound_event e WHERE e.channel = at_channel AND e.resource = of_resource AND e.order_id IS NOT NULL ORDER BY e.id DESC LIMIT 1),
    (SELECT s.id FROM silver_order s WHERE s.origin = at_channel AND s.order_key = key),
    (SELECT b.order_id FROM binding b WHERE b.channel = at_channel AND b.external_id = key AND b.kind = 'order' ORDER BY b.id DESC LIMIT 1),
    (SELECT min(i.order_id) FROM identifier i WHERE i.channel = at_channel AND i.value = upper(key) AND i.kind IN ('marketplace-order', 'pack')
     HAVING count(DISTINCT i.order_id) = 1))
$$;

-- What ended untied so far: coalesced events, hints of the ERP, and what was given up on.
UPDATE inbound_event e SET order_id = known.order_id
FROM (SELECT u.id, order_of_event(u.channel, u.resource, u.order_key) AS order_id FROM inbound_event u WHERE u.order_id IS NULL AND u.state <> 'pending') known
WHERE e.id = known.id AND known.order_id IS NOT NULL;

-- Erasing a person takes along what only names the order's key. As in 0021 otherwise.
CREATE OR REPLACE FUNCTION erase_person(wanted bigint)
RETURNS TABLE (keys integer, observations integer, requests integer, attempts integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE key bigint;
DECLARE events bigint[];
BEGIN
  SELECT s.key_id INTO key FROM silver_order s WHERE s.id = wanted FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  events := ARRAY(SELECT e.id FROM events_of_order(wanted) e);
  UPDATE silver_order SET personal = NULL, key_id = NULL, erased_at = coalesce(erased_at, hub_now()) WHERE id = wanted;
  DELETE FROM data_key WHERE id = key AND purpose = 'order';
  GET DIAGNOSTICS keys = ROW_COUNT;
  UPDATE observation SET personal = NULL WHERE order_id = wanted AND personal IS NOT NULL;
  GET DIAGNOSTICS observations = ROW_COUNT;
  UPDATE inbound_request r SET body = NULL
  WHERE r.body IS NOT NULL AND r.id IN (
    SELECT e.request_id FROM inbound_event e WHERE e.id = ANY(events)
    UNION ALL
    -- A copy that was sent again has no event of its own, only the same bytes.
    SELECT c.id FROM inbound_event e JOIN inbound_request f ON f.id = e.request_id
      JOIN inbound_request c ON c.body_sha256 = f.body_sha256 AND c.verdict = 'duplicate' WHERE e.id = ANY(events));
  GET DIAGNOSTICS requests = ROW_COUNT;
  UPDATE attempt a SET their_text = NULL
  WHERE a.their_text IS NOT NULL AND (a.delivery_id IN (SELECT d.id FROM delivery d WHERE d.order_id = wanted) OR a.inbound_event_id = ANY(events));
  GET DIAGNOSTICS attempts = ROW_COUNT;
  RETURN NEXT;
END $$;
