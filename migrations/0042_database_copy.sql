-- A failover, or a restore from a backup, puts the hub back to an earlier moment: what it sent since then stands at the targets and in no row of it. The
-- database knows that it is another copy than the one its rows were written in, and from then on the first send of a binding is looked up before,
-- as after an unknown outcome.
CREATE TABLE database_copy (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  identity text NOT NULL, -- of the copy that the rows were written in
  since timestamptz, -- when the hub found itself in this copy; null for the first one
  lost_from timestamptz -- sends of a binding may have left since then, of which no row tells
);
GRANT SELECT ON database_copy TO rosh_worker, rosh_reader, rosh_operator;

-- The timeline changes when a replica is promoted or a backup is rolled forward, the number of the database when it was copied or loaded anew.
CREATE FUNCTION database_identity() RETURNS text LANGUAGE sql STABLE AS $$
  SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())
$$;

-- Whether the rows were written in this copy; where they were not, nothing is claimed before `know_database` has been called. Null: nobody asked so far.
CREATE FUNCTION database_is_known() RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT c.identity = database_identity() FROM database_copy c
$$;

-- When a send may have left of which this copy tells nothing; null when there is none. A day later everything that was lost has been read again.
CREATE FUNCTION sends_lost_from() RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT c.lost_from FROM database_copy c WHERE c.since > hub_now() - interval '1 day'
$$;

-- Takes this copy for the hub's own. Numbers that were given out in the lost time (leases, request ids, what people were told) are never given out again.
CREATE FUNCTION know_database() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE one record;
BEGIN
  INSERT INTO database_copy (identity) VALUES (database_identity()) ON CONFLICT DO NOTHING;
  PERFORM FROM database_copy FOR UPDATE;
  IF database_is_known() THEN RETURN; END IF;
  UPDATE database_copy SET identity = database_identity(), since = hub_now(),
    lost_from = coalesce((SELECT a.started_at FROM attempt a ORDER BY a.id DESC LIMIT 1), hub_now()) - interval '10 minutes';
  FOR one IN SELECT sequencename AS name, coalesce(last_value, start_value) AS last FROM pg_sequences WHERE schemaname = 'public' LOOP
    PERFORM setval(quote_ident(one.name)::regclass, one.last + 1000000);
  END LOOP;
END $$;
REVOKE ALL ON FUNCTION know_database() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION know_database() TO rosh_worker;
