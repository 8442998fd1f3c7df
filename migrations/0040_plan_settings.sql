-- The rules by which the running hub plans: who repairs from another process plans by these, whatever its own configuration says.
CREATE TABLE plan_settings (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  settings jsonb NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT hub_now()
);
GRANT SELECT, INSERT, UPDATE ON plan_settings TO rosh_worker;
GRANT SELECT ON plan_settings TO rosh_operator, rosh_reader;
