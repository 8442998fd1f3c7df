CREATE TABLE inbound_request ( -- every request, whatever its verdict: "did it arrive?" must be answerable
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  received_at timestamptz NOT NULL DEFAULT hub_now(),
  channel text,
  path text NOT NULL,
  verdict text NOT NULL CHECK (verdict IN ('accepted', 'duplicate', 'conflict', 'bad-signature', 'stale-timestamp', 'malformed', 'too-large', 'rate-limited')),
  headers jsonb NOT NULL,
  body bytea, -- raw; nulled when the person it speaks of is erased, the digest stays
  body_sha256 bytea NOT NULL,
  body_bytes integer NOT NULL,
  source_ip text
);
CREATE INDEX inbound_request_time ON inbound_request (received_at);
-- Ids are drawn before the insert: an event names its request, and the request's verdict is known only after its events.
GRANT USAGE ON SEQUENCE inbound_request_id_seq TO rosh_ingest, rosh_worker;

CREATE TABLE inbound_event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id uuid NOT NULL UNIQUE,
  request_id bigint NOT NULL REFERENCES inbound_request (id) DEFERRABLE INITIALLY DEFERRED, -- inserted after its events, in the same transaction
  channel text NOT NULL REFERENCES channel (id),
  topic text NOT NULL,
  resource text NOT NULL,
  source_event_id text,
  dedupe_key bytea NOT NULL, -- SHA-256
  comparable bytea NOT NULL, -- SHA-256 of what must be equal in a duplicate
  conflict boolean NOT NULL DEFAULT false,
  order_key text,
  order_id bigint REFERENCES silver_order (id),
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'applied', 'ignored', 'dead')),
  reason text, -- why it was ignored
  cause text,
  summary text,
  tries integer NOT NULL DEFAULT 0,
  max_tries integer NOT NULL,
  due_at timestamptz NOT NULL DEFAULT hub_now(),
  lease bigint,
  lease_until timestamptz,
  unfinished integer NOT NULL DEFAULT 0,
  unfinished_alone integer NOT NULL DEFAULT 0,
  state_version bigint NOT NULL DEFAULT 1,
  received_at timestamptz NOT NULL DEFAULT hub_now(),
  ended_at timestamptz,
  resolved_by bigint REFERENCES inbound_event (id),
  archived_at timestamptz,
  replays integer NOT NULL DEFAULT 0,
  traceparent text,
  UNIQUE (channel, dedupe_key)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX inbound_event_due ON inbound_event (channel, due_at, id) WHERE state = 'pending';
CREATE INDEX inbound_event_waiting ON inbound_event (channel, resource, id) WHERE state = 'pending';
CREATE INDEX inbound_event_suspect ON inbound_event (channel, due_at, id) WHERE state = 'pending' AND unfinished >= 3;
CREATE INDEX inbound_event_dead ON inbound_event (channel, ended_at) WHERE state = 'dead';
CREATE INDEX inbound_event_order ON inbound_event (order_id, id) WHERE order_id IS NOT NULL;
CREATE INDEX inbound_event_key ON inbound_event (order_key, channel) WHERE order_key IS NOT NULL;
CREATE INDEX inbound_event_resource ON inbound_event (channel, resource, id);
CREATE INDEX inbound_event_request ON inbound_event (request_id);
CREATE INDEX inbound_event_source ON inbound_event (source_event_id) WHERE source_event_id IS NOT NULL;

CREATE TABLE attempt ( -- its id is the request id on the wire
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  delivery_id bigint REFERENCES delivery (id),
  inbound_event_id bigint REFERENCES inbound_event (id),
  channel text NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('send', 'look-up', 'fetch')),
  operation text NOT NULL,
  lease bigint NOT NULL,
  started_at timestamptz NOT NULL DEFAULT hub_now(),
  ended_at timestamptz,
  outcome text CHECK (outcome IN ('ok', 'rejected', 'not-sent', 'unknown')),
  error_code text,
  http_status integer,
  summary text, -- sanitised, ours
  their_text text, -- another system's words: quarantined, never read as instruction
  trace_id text,
  CHECK ((delivery_id IS NULL) <> (inbound_event_id IS NULL)),
  CHECK ((outcome IS NULL) = (ended_at IS NULL))
);
CREATE INDEX attempt_delivery ON attempt (delivery_id, id) WHERE delivery_id IS NOT NULL;
CREATE INDEX attempt_inbound ON attempt (inbound_event_id, id) WHERE inbound_event_id IS NOT NULL;
CREATE INDEX attempt_open ON attempt (delivery_id) WHERE outcome IS NULL;

CREATE TABLE erp_quarantine (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  erp_id text NOT NULL,
  erp_name text NOT NULL,
  field text NOT NULL,
  problem text NOT NULL,
  source_version text NOT NULL,
  cause text NOT NULL DEFAULT 'erp-order-invalid',
  found_at timestamptz NOT NULL DEFAULT hub_now(),
  seen_at timestamptz NOT NULL DEFAULT hub_now(),
  resolved_at timestamptz
);
CREATE UNIQUE INDEX erp_quarantine_open ON erp_quarantine (erp_id) WHERE resolved_at IS NULL;
CREATE INDEX erp_quarantine_name ON erp_quarantine (upper(erp_name));

CREATE TABLE drift (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_id bigint NOT NULL REFERENCES silver_order (id),
  channel text NOT NULL REFERENCES channel (id),
  kind text NOT NULL,
  cause text NOT NULL,
  fields jsonb NOT NULL,
  found_at timestamptz NOT NULL DEFAULT hub_now(),
  seen_at timestamptz NOT NULL DEFAULT hub_now(),
  resolved_at timestamptz
);
CREATE UNIQUE INDEX drift_open ON drift (order_id, channel, kind) WHERE resolved_at IS NULL;
CREATE INDEX drift_order ON drift (order_id);

CREATE TABLE order_event ( -- the history that feeds the warehouse; the envelope is the same everywhere
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  event_id uuid NOT NULL,
  event_type text NOT NULL,
  schema_version integer NOT NULL DEFAULT 1,
  aggregate_type text NOT NULL,
  aggregate_id bigint NOT NULL,
  aggregate_version bigint NOT NULL,
  marketplace text,
  occurred_at timestamptz NOT NULL,
  observed_at timestamptz NOT NULL DEFAULT hub_now(),
  committed_at timestamptz NOT NULL DEFAULT hub_now(),
  traceparent text,
  payload jsonb NOT NULL
);
CREATE INDEX order_event_feed ON order_event (xid, id);
CREATE INDEX order_event_aggregate ON order_event (aggregate_type, aggregate_id, id);
