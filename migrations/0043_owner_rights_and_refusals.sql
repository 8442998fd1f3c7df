-- What runs with the owner's rights is called by the roles of its job alone: a new function may be called by everybody until that is taken back. The
-- trigger of the audit log was forgotten so, and moved the head of the chain for any table that bore it, a temporary one included.
CREATE OR REPLACE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE head audit_head%ROWTYPE;
BEGIN
  IF TG_RELID <> 'public.audit'::regclass THEN
    RAISE EXCEPTION 'audit_chain() chains the audit log alone' USING ERRCODE = 'insufficient_privilege';
  END IF;
  SELECT * INTO head FROM audit_head FOR UPDATE;
  NEW.seq := head.seq + 1;
  NEW.at := hub_now();
  NEW.prev := head.hash;
  NEW.operation_id := (NEW.body::jsonb) ->> 'operation_id';
  NEW.phase := (NEW.body::jsonb) ->> 'phase';
  NEW.hash := sha256(NEW.prev || convert_to(
    NEW.seq::text || E'\n' || to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || E'\n' || NEW.actor || E'\n' || NEW.body, 'UTF8'));
  UPDATE audit_head SET seq = NEW.seq, hash = NEW.hash;
  RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION audit_chain() FROM PUBLIC;

-- The hub makes no temporary tables. Where the owner of these tables does not own the database, this only warns.
DO $$ BEGIN
  EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END $$;

-- A refused request has no event that ties it to an order: only its bytes name it, as words in quotes or the end of a path (`"p-3"`, `"/orders/2000"`). No
-- expression that looks for them: one took 10 ms a body. Every id holds a digit, and a body of nothing but ids costs its door no more than another.
CREATE FUNCTION names_in(body bytea) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(array_agg(named.word), '{}')
  FROM (
    SELECT word FROM unnest(string_to_array(upper(translate(encode(body, 'escape'), '/', '"')), '"')) AS word
    WHERE length(word) <= 200 AND word ~ '[0-9]' LIMIT 200
  ) named
$$;
-- Not of what is larger than any marketplace sends, so that a flood of it costs its door nothing: those bytes go with their class alone.
CREATE INDEX inbound_request_names ON inbound_request USING gin (names_in(body))
  WHERE verdict IN ('bad-signature', 'stale-timestamp', 'malformed') AND body_bytes <= 16384 AND body IS NOT NULL;

-- Every refused request that names the order and came to a door of the marketplace that knows it by that name; our own reference is ours everywhere.
CREATE FUNCTION refusals_of_order(wanted bigint) RETURNS SETOF bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT r.id FROM identifier i JOIN inbound_request r ON names_in(r.body) @> ARRAY[i.value]
  WHERE i.order_id = wanted AND i.kind IN ('marketplace-order', 'pack', 'reference')
    AND r.verdict IN ('bad-signature', 'stale-timestamp', 'malformed') AND r.body_bytes <= 16384 AND r.body IS NOT NULL
    AND (i.kind = 'reference' OR position('/' || split_part(i.channel, ':', 1) IN r.path) > 0)
$$;

-- As in 0041, and the refused requests that name the order.
CREATE OR REPLACE FUNCTION erase_person(wanted bigint)
RETURNS TABLE (keys integer, observations integer, requests integer, attempts integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE key bigint;
DECLARE events bigint[];
DECLARE deliveries bigint[];
BEGIN
  SELECT s.key_id INTO key FROM silver_order s WHERE s.id = wanted FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  events := ARRAY(SELECT e.id FROM events_of_order(wanted) e);
  deliveries := ARRAY(SELECT d.id FROM delivery d WHERE d.order_id = wanted);
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
      JOIN inbound_request c ON c.body_sha256 = f.body_sha256 AND c.verdict = 'duplicate' WHERE e.id = ANY(events)
    UNION ALL
    SELECT refusals_of_order(wanted));
  GET DIAGNOSTICS requests = ROW_COUNT;
  UPDATE attempt a SET their_text = NULL
  WHERE a.their_text IS NOT NULL AND (a.delivery_id = ANY(deliveries) OR a.inbound_event_id = ANY(events));
  GET DIAGNOSTICS attempts = ROW_COUNT;
  RETURN NEXT;
END $$;
