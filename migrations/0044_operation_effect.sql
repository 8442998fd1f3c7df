-- What an operation of the audit log changed, committed together with the change: an intent whose process died before it wrote the outcome is closed by
-- what stands here. Insert-only, as the log itself.
CREATE TABLE operation_effect (
  operation_id text PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT hub_now(),
  effect jsonb NOT NULL -- ids and counts, as the outcome keeps them
);
GRANT SELECT, INSERT ON operation_effect TO rosh_operator;

-- One outcome an intent, whoever writes it: its own process, however late, or one of several hubs that close it.
-- Of all rows, not of outcomes alone: such an index would be taken to look for any outcome, and so for all of them. It stands for `audit_operation` too.
CREATE UNIQUE INDEX audit_phase_once ON audit (operation_id, phase);
DROP INDEX audit_operation;

-- Intents without an outcome, kept apart: they are looked for every minute, and the log only grows.
CREATE TABLE open_intent (
  operation_id text PRIMARY KEY,
  seq bigint NOT NULL -- of the intent in the log
);
GRANT SELECT ON open_intent TO rosh_operator;
INSERT INTO open_intent (operation_id, seq)
SELECT i.operation_id, min(i.seq) FROM audit i
WHERE i.phase = 'intent' AND NOT EXISTS (SELECT FROM audit o WHERE o.operation_id = i.operation_id AND o.phase = 'outcome')
GROUP BY i.operation_id;

CREATE FUNCTION keep_open_intents() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF NEW.phase = 'intent' THEN
    INSERT INTO open_intent (operation_id, seq) VALUES (NEW.operation_id, NEW.seq) ON CONFLICT DO NOTHING;
  ELSE
    DELETE FROM open_intent WHERE operation_id = NEW.operation_id;
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION keep_open_intents() FROM PUBLIC;
CREATE TRIGGER audit_open_intents AFTER INSERT ON audit FOR EACH ROW WHEN (NEW.phase <> 'single') EXECUTE FUNCTION keep_open_intents();
