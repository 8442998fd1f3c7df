-- Retention: what has stood long enough to go, by class, and its going. A class is a kind of data with a time of its own (`retention` of hub.yaml).
-- Nothing that is still worked on is due, whatever its age.
CREATE VIEW retention_due AS
SELECT 'personal' AS class, s.id, s.updated_at AS since
FROM silver_order s
WHERE s.key_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM delivery d WHERE d.order_id = s.id AND d.state IN ('pending', 'ambiguous'))
  AND NOT EXISTS (SELECT FROM inbound_event e WHERE e.order_id = s.id AND e.state = 'pending')
UNION ALL
SELECT 'raw', r.id, r.received_at
FROM inbound_request r
WHERE r.body IS NOT NULL AND NOT EXISTS (SELECT FROM inbound_event e WHERE e.request_id = r.id AND e.state = 'pending')
UNION ALL
SELECT 'other-text', a.id, a.ended_at FROM attempt a WHERE a.their_text IS NOT NULL AND a.ended_at IS NOT NULL
UNION ALL
-- The hub looked at an order by itself and found it as it was: of all events the most, and the only ones that tell nothing.
SELECT 'unchanged', e.id, e.ended_at FROM inbound_event e WHERE e.topic = 'sweep' AND e.state = 'ignored' AND e.reason = 'unchanged';
GRANT SELECT ON retention_due TO rosh_operator;

-- Deleting an event asks whether another one was resolved by it.
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
      SELECT count(*) INTO gone
      FROM (SELECT s.id FROM silver_order s WHERE s.id = ANY(due) AND s.updated_at < before ORDER BY s.id FOR UPDATE) o CROSS JOIN LATERAL erase_person(o.id);
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
