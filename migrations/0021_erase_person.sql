-- Erasing a person: the order's key goes, and with it every sealed copy in tables, replicas and backups; raw bytes and other systems' words of the
-- order go too, digests stay. A function of the owner, since no role of the hub may delete anything. Safe to run again.
CREATE INDEX inbound_request_copies ON inbound_request (body_sha256) WHERE verdict = 'duplicate';

CREATE FUNCTION erase_person(wanted bigint)
RETURNS TABLE (keys integer, observations integer, requests integer, attempts integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE key bigint;
BEGIN
  SELECT s.key_id INTO key FROM silver_order s WHERE s.id = wanted FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  UPDATE silver_order SET personal = NULL, key_id = NULL, erased_at = coalesce(erased_at, hub_now()) WHERE id = wanted;
  DELETE FROM data_key WHERE id = key AND purpose = 'order';
  GET DIAGNOSTICS keys = ROW_COUNT;
  UPDATE observation SET personal = NULL WHERE order_id = wanted AND personal IS NOT NULL;
  GET DIAGNOSTICS observations = ROW_COUNT;
  UPDATE inbound_request r SET body = NULL
  WHERE r.body IS NOT NULL AND r.id IN (
    SELECT e.request_id FROM inbound_event e WHERE e.order_id = wanted
    UNION ALL
    -- A copy that was sent again has no event of its own, only the same bytes.
    SELECT c.id FROM inbound_event e JOIN inbound_request f ON f.id = e.request_id
      JOIN inbound_request c ON c.body_sha256 = f.body_sha256 AND c.verdict = 'duplicate' WHERE e.order_id = wanted);
  GET DIAGNOSTICS requests = ROW_COUNT;
  UPDATE attempt a SET their_text = NULL
  WHERE a.their_text IS NOT NULL AND (a.delivery_id IN (SELECT d.id FROM delivery d WHERE d.order_id = wanted)
    OR a.inbound_event_id IN (SELECT e.id FROM inbound_event e WHERE e.order_id = wanted));
  GET DIAGNOSTICS attempts = ROW_COUNT;
  RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION erase_person(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_person(bigint) TO rosh_operator;

-- What was erased stays erased, whatever a later fetch or an older process brings.
CREATE FUNCTION stays_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.personal := NULL;
  NEW.key_id := NULL;
  NEW.erased_at := OLD.erased_at;
  RETURN NEW;
END $$;
CREATE TRIGGER stays_erased BEFORE UPDATE ON silver_order FOR EACH ROW WHEN (OLD.erased_at IS NOT NULL) EXECUTE FUNCTION stays_erased();
