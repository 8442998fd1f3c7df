CREATE TABLE channel (
  id text PRIMARY KEY,
  marketplace text NOT NULL CHECK (marketplace IN ('mercadolibre', 'paris', 'odoo')),
  account_id text NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  settings jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT hub_now(),
  -- the gate, shared by every worker
  paused_at timestamptz,
  pause_cause text,
  circuit_failures integer NOT NULL DEFAULT 0,
  circuit_opened_at timestamptz,
  probe_at timestamptz,
  limited_until timestamptz,
  bucket_rate double precision NOT NULL DEFAULT 200, -- requests per second
  bucket_size double precision NOT NULL DEFAULT 400,
  bucket_tokens double precision NOT NULL DEFAULT 400,
  bucket_at timestamptz NOT NULL DEFAULT hub_now()
);

-- Data keys, wrapped by the key-encryption key that never enters the database. One per order, so that erasing a person deletes a row.
CREATE TABLE data_key (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  purpose text NOT NULL CHECK (purpose IN ('order', 'credential')),
  kek_id text NOT NULL,
  wrapped bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT hub_now()
);

CREATE TABLE credential (
  channel text PRIMARY KEY REFERENCES channel (id),
  key_id bigint NOT NULL REFERENCES data_key (id),
  access_token bytea NOT NULL,
  refresh_token bytea,
  previous_tokens bytea,
  expires_at timestamptz NOT NULL,
  version bigint NOT NULL DEFAULT 1,
  lease bigint,
  lease_until timestamptz,
  exchange_at timestamptz, -- set before a refresh token is spent, cleared when the new pair is saved
  reconnect_required_at timestamptz,
  reconnect_reason text,
  connected_at timestamptz NOT NULL DEFAULT hub_now(),
  updated_at timestamptz NOT NULL DEFAULT hub_now()
);

CREATE TABLE api_token (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  prefix text NOT NULL,
  sha256 bytea NOT NULL UNIQUE,
  principal text NOT NULL,
  scopes text[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT hub_now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);

CREATE SEQUENCE lease_number AS bigint;
CREATE SEQUENCE fetch_number AS bigint;

CREATE TABLE cursor (
  name text PRIMARY KEY,
  position jsonb,
  fetch_no bigint,
  lease bigint,
  lease_until timestamptz,
  moved_at timestamptz,
  tried_at timestamptz,
  failed_since timestamptz,
  failure jsonb
);

CREATE TABLE worker_heartbeat (
  id text PRIMARY KEY, -- app, host, pid
  app text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT hub_now(),
  beat_at timestamptz NOT NULL DEFAULT hub_now(),
  progress_at timestamptz,
  progress jsonb NOT NULL DEFAULT '{}'
);
GRANT SELECT, INSERT, UPDATE ON worker_heartbeat TO rosh_ingest, rosh_worker, rosh_operator;
