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
-- Rows of an installation, or of a backup, from before: which copy they were written in is not known, so a day's first sends are looked up before.
INSERT INTO database_copy (identity) SELECT 'not known' WHERE EXISTS (SELECT FROM attempt);

-- Server and timeline change with another cluster, a promoted replica, and a backup that is rolled forward; the numbers of database and table with a copy, and
-- with a dump that is loaded anew. A service that hides its server leaves the numbers.
CREATE FUNCTION database_identity() RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE server text := 'hidden';
BEGIN
  BEGIN
    SELECT c.system_identifier || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) INTO server FROM pg_control_system() c;
  EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_function THEN
    NULL;
  END;
  RETURN server || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) || '/' || 'database_copy'::regclass::oid;
END $$;

-- Whether the rows were written in this copy; where they were not, nothing is claimed before `know_database` has been called. Null: nobody asked so far.
CREATE FUNCTION database_is_known() RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT c.identity = database_identity() FROM database_copy c
$$;

-- Since when a send of a binding may have left of which this copy tells nothing: null for one that was made a day after the copy was found, when everything
-- that was lost has long been read again.
CREATE FUNCTION sends_lost_from(made_at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT c.lost_from FROM database_copy c WHERE made_at < c.since + interval '1 day'
$$;

-- Takes this copy for the hub's own. Numbers of the hub that were given out in the lost time (leases, request ids, `outbox-…`) are never given out again.
CREATE FUNCTION know_database() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE one record;
BEGIN
  IF database_is_known() THEN RETURN; END IF;
  INSERT INTO database_copy (identity) VALUES (database_identity()) ON CONFLICT DO NOTHING;
  PERFORM FROM database_copy FOR UPDATE;
  IF database_is_known() THEN RETURN; END IF;
  -- A second copy soon after the first: the earlier loss still counts.
  UPDATE database_copy SET identity = database_identity(), since = hub_now(),
    lost_from = least(lost_from, coalesce((SELECT a.started_at FROM attempt a ORDER BY a.id DESC LIMIT 1), 'epoch') - interval '10 minutes');
  FOR one IN
    SELECT format('%I.%I', schemaname, sequencename)::regclass AS sequence, coalesce(last_value, start_value) AS last FROM pg_sequences
    WHERE schemaname = 'public' AND sequenceowner = current_user AND data_type = 'bigint'::regtype
  LOOP
    PERFORM setval(one.sequence, one.last + 1000000000);
  END LOOP;
END $$;
REVOKE ALL ON FUNCTION know_database() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION know_database() TO rosh_worker;
