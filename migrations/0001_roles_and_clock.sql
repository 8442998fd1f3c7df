-- Roles are cluster-wide: several databases of one server (tests) make them at once, so each creation tolerates the other.
DO $$
DECLARE role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['rosh_ingest', 'rosh_worker', 'rosh_operator', 'rosh_reader', 'rosh_auditor'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
      END;
    END IF;
  END LOOP;
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO rosh_ingest, rosh_worker, rosh_operator, rosh_reader, rosh_auditor;

-- The hub's clock. The offset exists for tests that must live through an hour in a second; only a test database can set it.
CREATE TABLE hub_clock (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  shift interval NOT NULL DEFAULT '0' CHECK (shift = interval '0' OR current_database() LIKE 'rosh\_test\_%')
);
INSERT INTO hub_clock DEFAULT VALUES;

-- STABLE, on statement_timestamp(): now() would freeze at BEGIN and hide a lock wait.
CREATE FUNCTION hub_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT statement_timestamp() + (SELECT shift FROM hub_clock) $$;
GRANT SELECT ON hub_clock TO rosh_ingest, rosh_worker, rosh_operator, rosh_reader, rosh_auditor;
