-- When each key of a webhook source last proved a request: before the old one is taken away, this says whether anybody still signs with it.
CREATE TABLE webhook_key_use (
  source text NOT NULL,
  key_id text NOT NULL,
  first_used_at timestamptz NOT NULL DEFAULT hub_now(),
  last_used_at timestamptz NOT NULL DEFAULT hub_now(), -- to the minute: written at most that often
  PRIMARY KEY (source, key_id)
);
GRANT SELECT, INSERT, UPDATE ON webhook_key_use TO rosh_ingest;
GRANT SELECT ON webhook_key_use TO rosh_operator, rosh_reader;
