-- Retention: what has stood long enough to go, by class, and its going. A class is a kind of data with a time of its own (`retentionDays` of hub.yaml).
-- Nothing that is still worked on is due, whatever its age.
CREATE VIEW retention_due AS
SELECT 'personal' AS class, s.id, s.updated_at AS since
FROM silver_order s
WHERE s.key_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM delivery d WHERE d.order_id = s.id AND d.state IN ('pending', 'ambiguous'))
  -- An event names its order when it ends; one that waits is found by what it points at.
  AND s.id NOT IN (
    SELECT known.id FROM inbound_event e CROSS JOIN LATERAL (SELECT coalesce(e.order_id, order_of_event(e.channel, e.resource, e.order_key)) AS id) known
    WHERE e.state = 'pending' AND known.id IS NOT NULL)
UNION ALL
SELECT 'raw', r.id, r.received_at
FROM inbound_request r
WHERE r.body IS NOT NULL AND NOT EXISTS (SELECT FROM inbound_event e WHERE e.request_id = r.id AND e.state = 'pending')
UNION ALL
SELECT 'other-text', a.id, a.ended_at
FROM attempt a
WHERE a.their_text IS NOT NULL AND a.ended_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM delivery d WHERE d.id = a.delivery_id AND d.state IN ('pending', 'ambiguous'))
  AND NOT EXISTS (SELECT FROM inbound_event e WHERE e.id = a.inbound_event_id AND e.state = 'pending')
UNION ALL
-- The hub looked at an order by itself and found it as it was: of all events the most, and the only ones that tell nothing.
SELECT 'unchanged', e.id, e.ended_at
FROM inbound_event e
WHERE e.topic = 'sweep' AND e.state = 'ignored' AND e.reason = 'unchanged'
  AND NOT EXISTS (SELECT FROM inbound_event given_up WHERE given_up.resolved_by = e.id);
GRANT SELECT ON retention_due TO rosh_operator;

-- What an event was resolved by stays with it.
CREATE INDEX inbound_event_resolved_by ON inbound_event (resolved_by) WHERE resolved_by IS NOT NULL;

-- Lets go what is due of one class, was last touched before `before` and has an id from `low` to `high`; answers how many. A function of the owner, as
-- erase_person is, and never of what is younger than a day.
CREATE FUNCTION let_go(wanted text, before timestamptz, low bigint, high bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE due bigint[];
DECLARE requests bigint[];
DECLARE gone integer;
BEGIN
  IF before > hub_now() - interval '1 day' THEN
    RAISE EXCEPTION 'retention of less than a day' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  due := ARRAY(SELECT d.id FROM retention_due d WHERE d.class = wanted AND d.since < before AND d.id BETWEEN low AND high ORDER BY d.id);
  CASE wanted
    WHEN 'personal' THEN
      -- Locked, then looked at once more: a fetch may change an old order in this moment.
      PERFORM FROM silver_order s WHERE s.id = ANY(due) ORDER BY s.id FOR UPDATE;
      SELECT count(*) INTO gone
      FROM retention_due d CROSS JOIN LATERAL erase_person(d.id) WHERE d.class = wanted AND d.since < before AND d.id = ANY(due);
    WHEN 'raw' THEN
      UPDATE inbound_request SET body = NULL WHERE id = ANY(due);
      GET DIAGNOSTICS gone = ROW_COUNT;
    WHEN 'other-text' THEN
      UPDATE attempt SET their_text = NULL WHERE id = ANY(due);
      GET DIAGNOSTICS gone = ROW_COUNT;
    WHEN 'unchanged' THEN
      DELETE FROM attempt WHERE inbound_event_id = ANY(due);
      WITH deleted AS (DELETE FROM inbound_event WHERE id = ANY(due) RETURNING request_id)
      SELECT array_agg(DISTINCT request_id), count(*) INTO requests, gone FROM deleted;
      DELETE FROM inbound_request r WHERE r.id = ANY(requests) AND NOT EXISTS (SELECT FROM inbound_event e WHERE e.request_id = r.id);
  END CASE;
  RETURN gone;
END $$;
REVOKE ALL ON FUNCTION let_go(text, timestamptz, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION let_go(text, timestamptz, bigint, bigint) TO rosh_operator;

-- As in 0032, with conditions that an index serves: retention erases many persons in a row.
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
      JOIN inbound_request c ON c.body_sha256 = f.body_sha256 AND c.verdict = 'duplicate' WHERE e.id = ANY(events));
  GET DIAGNOSTICS requests = ROW_COUNT;
  UPDATE attempt a SET their_text = NULL
  WHERE a.their_text IS NOT NULL AND (a.delivery_id = ANY(deliveries) OR a.inbound_event_id = ANY(events));
  GET DIAGNOSTICS attempts = ROW_COUNT;
  RETURN NEXT;
END $$;
