-- Append-only and chained: hash = SHA-256(prev || seq, at, actor, body). Nobody but the trigger chooses any of them.
CREATE TABLE audit_head (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  seq bigint NOT NULL,
  hash bytea NOT NULL
);
INSERT INTO audit_head (seq, hash) VALUES (0, sha256(''::bytea));

CREATE TABLE audit (
  seq bigint PRIMARY KEY,
  at timestamptz NOT NULL,
  actor text NOT NULL,
  body text NOT NULL, -- canonical JSON as text, so that a verifier hashes the very bytes
  prev bytea NOT NULL,
  hash bytea NOT NULL,
  operation_id text NOT NULL,
  phase text NOT NULL CHECK (phase IN ('intent', 'outcome', 'single'))
);
CREATE INDEX audit_operation ON audit (operation_id);
CREATE INDEX audit_target ON audit (((body::jsonb) -> 'target' ->> 'kind'), ((body::jsonb) -> 'target' ->> 'id')) WHERE phase <> 'outcome';
CREATE INDEX audit_at ON audit (at);

CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE head audit_head%ROWTYPE;
BEGIN
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
CREATE TRIGGER audit_chain BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_chain();

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit table is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

CREATE VIEW mcp_audit_log AS
SELECT i.at AS "timestamp",
       i.actor AS user_id,
       (i.body::jsonb) ->> 'tool' AS tool_name,
       (i.body::jsonb) -> 'params' AS params_json,
       (i.body::jsonb) ->> 'scope_used' AS scope_used,
       coalesce((o.body::jsonb) ->> 'result', (i.body::jsonb) ->> 'result', 'unknown') AS result_status,
       coalesce((o.body::jsonb) ->> 'error_code', (i.body::jsonb) ->> 'error_code') AS error_message,
       coalesce((o.body::jsonb) ->> 'latency_ms', (i.body::jsonb) ->> 'latency_ms')::numeric AS latency_ms
FROM audit i LEFT JOIN audit o ON o.operation_id = i.operation_id AND o.phase = 'outcome'
WHERE i.phase <> 'outcome';

-- Plan tokens are single-use: consumed in the same transaction as the effect.
CREATE TABLE plan_token_used (
  token_id text PRIMARY KEY,
  used_at timestamptz NOT NULL DEFAULT hub_now()
);
