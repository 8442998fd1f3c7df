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
