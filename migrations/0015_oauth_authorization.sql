-- One started connection of an account: made by `rosh auth`, ended by whichever process hears the answer. The state is a bearer secret, so only
-- its hash is kept; the PKCE verifier is sealed, and gone once it is
-- taken or found expired. Rows stay: they are few, and no role of the hub may delete.
CREATE TABLE oauth_authorization (
  state_sha256 bytea PRIMARY KEY,
  marketplace text NOT NULL CHECK (marketplace IN ('mercadolibre')),
  principal text NOT NULL,
  account_id text, -- the only account that may answer; null: any
  key_id bigint NOT NULL REFERENCES data_key (id),
  verifier bytea,
  created_at timestamptz NOT NULL DEFAULT hub_now(),
  expires_at timestamptz NOT NULL,
  taken_at timestamptz,
  outcome jsonb,
  CHECK (taken_at IS NULL OR verifier IS NULL)
);
CREATE INDEX oauth_authorization_open ON oauth_authorization (expires_at) WHERE taken_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON oauth_authorization TO rosh_worker;

-- An account that a person connected without naming it in the configuration stays a channel.
ALTER TABLE channel ADD COLUMN added_by_auth boolean NOT NULL DEFAULT false;
