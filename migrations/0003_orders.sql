CREATE TABLE silver_order (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  origin text NOT NULL REFERENCES channel (id),
  order_key text NOT NULL,
  payment text NOT NULL,
  fulfilment text NOT NULL,
  lifecycle text NOT NULL,
  flags text[] NOT NULL DEFAULT '{}',
  display_status text NOT NULL,
  currency text,
  total_minor bigint,
  confirmed boolean NOT NULL DEFAULT false,
  canonical jsonb NOT NULL, -- the whole canonical order (core/order.ts); holds no personal data
  route jsonb, -- the route decision, with the name of its rule; null for orders born at a marketplace
  illegal jsonb, -- steps back that no rule allows
  personal bytea, -- encrypted under key_id
  key_id bigint REFERENCES data_key (id),
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT hub_now(),
  updated_at timestamptz NOT NULL DEFAULT hub_now(),
  erased_at timestamptz,
  UNIQUE (origin, order_key)
);
CREATE INDEX silver_order_created ON silver_order (created_at);
CREATE INDEX silver_order_key ON silver_order (key_id) WHERE key_id IS NOT NULL;

CREATE TABLE identifier (
  value text NOT NULL, -- upper case, trimmed
  kind text NOT NULL CHECK (kind IN ('reference', 'client-order-ref', 'erp-name', 'marketplace-order', 'pack', 'shipment', 'bare', 'erp-id')),
  order_id bigint NOT NULL REFERENCES silver_order (id),
  channel text NOT NULL REFERENCES channel (id),
  PRIMARY KEY (value, kind, order_id)
);
CREATE INDEX identifier_order ON identifier (order_id);
CREATE INDEX identifier_prefix ON identifier (value text_pattern_ops);

CREATE TABLE resource ( -- one row per thing that can be fetched; its lease and the newest fetch number drawn
  channel text NOT NULL REFERENCES channel (id),
  resource text NOT NULL,
  fetch_no bigint NOT NULL,
  lease_until timestamptz,
  fetched_at timestamptz NOT NULL DEFAULT hub_now(),
  PRIMARY KEY (channel, resource)
);

CREATE TABLE observation (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_id bigint NOT NULL REFERENCES silver_order (id),
  channel text NOT NULL REFERENCES channel (id),
  entity text NOT NULL,
  external_id text NOT NULL,
  source_version timestamptz,
  fetch_no bigint NOT NULL,
  content_hash bytea NOT NULL,
  body jsonb NOT NULL, -- the fragment (core/order.ts); holds no personal data
  personal bytea, -- encrypted under the order's key
  inbound_event_id bigint,
  observed_at timestamptz NOT NULL DEFAULT hub_now()
);
CREATE INDEX observation_order ON observation (order_id, id);
CREATE INDEX observation_entity ON observation (channel, entity, external_id, fetch_no DESC);

CREATE TABLE binding (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  channel text NOT NULL REFERENCES channel (id),
  kind text NOT NULL CHECK (kind IN ('order', 'stock')),
  order_id bigint REFERENCES silver_order (id),
  sku text,
  generation integer NOT NULL DEFAULT 1,
  reference text NOT NULL, -- what the target shows of us: odoo-42, odoo-42-g2, a marketplace key, a SKU
  external_id text,
  observed jsonb,
  observed_at timestamptz,
  compared_at timestamptz, -- when the reconciler last looked at the target for it
  next_version bigint NOT NULL DEFAULT 1,
  missing_since timestamptz, -- delivered, later absent at the target
  duplicates jsonb, -- more than one order at the target for this binding
  created_at timestamptz NOT NULL DEFAULT hub_now(),
  CHECK ((kind = 'order') = (order_id IS NOT NULL)),
  CHECK ((kind = 'stock') = (sku IS NOT NULL)),
  UNIQUE (channel, kind, reference)
);
CREATE UNIQUE INDEX binding_order ON binding (order_id, channel) WHERE kind = 'order';
CREATE UNIQUE INDEX binding_stock ON binding (channel, sku) WHERE kind = 'stock';
CREATE INDEX binding_external ON binding (channel, external_id) WHERE external_id IS NOT NULL;

-- The content of versions stands apart, so that the state changes of a delivery rewrite a narrow row.
CREATE TABLE desired (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  content jsonb NOT NULL,
  content_hash bytea NOT NULL
);

CREATE TABLE delivery (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  binding_id bigint NOT NULL REFERENCES binding (id),
  channel text NOT NULL REFERENCES channel (id),
  kind text NOT NULL CHECK (kind IN ('order', 'stock')),
  order_id bigint REFERENCES silver_order (id),
  version bigint NOT NULL,
  generation integer NOT NULL,
  desired_id bigint NOT NULL REFERENCES desired (id),
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'ambiguous', 'delivered', 'superseded', 'dead')),
  cause text, -- cause code of why it waits or was given up on
  summary text, -- one sanitised sentence
  reason text, -- how it was delivered, or the code it died of
  tries integer NOT NULL DEFAULT 0, -- counted sends
  max_tries integer NOT NULL,
  due_at timestamptz NOT NULL DEFAULT hub_now(),
  lease bigint,
  lease_until timestamptz,
  first_sent_at timestamptz, -- when its first send may have left; look-ups of its binding page back to the earliest
  counted_lease bigint, -- lease under which the last counted send left, so that one try counts once
  unfinished integer NOT NULL DEFAULT 0, -- claims without a finish, in a row
  unfinished_alone integer NOT NULL DEFAULT 0,
  state_version bigint NOT NULL DEFAULT 1, -- operators compare and set on it
  created_at timestamptz NOT NULL DEFAULT hub_now(),
  ended_at timestamptz,
  resolved_by bigint REFERENCES delivery (id),
  archived_at timestamptz,
  replays integer NOT NULL DEFAULT 0,
  traceparent text,
  UNIQUE (binding_id, version)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
-- At most one version of a binding in flight and one waiting.
CREATE UNIQUE INDEX delivery_one_in_flight ON delivery (binding_id) WHERE state = 'ambiguous';
CREATE UNIQUE INDEX delivery_one_waiting ON delivery (binding_id) WHERE state = 'pending';
CREATE INDEX delivery_due ON delivery (channel, due_at, id) WHERE state IN ('pending', 'ambiguous');
CREATE INDEX delivery_dead ON delivery (channel, ended_at) WHERE state = 'dead';
CREATE INDEX delivery_order ON delivery (order_id, id) WHERE order_id IS NOT NULL;
CREATE INDEX delivery_ended ON delivery (ended_at) WHERE state = 'delivered';
