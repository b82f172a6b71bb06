-- Compresses, drops and checks what the settings say. No SET clause: a procedure with one cannot commit.
CREATE PROCEDURE api.upkeep()
LANGUAGE plpgsql AS $$
DECLARE
  place int;
  chunk   record;
  cutoff  timestamptz;
BEGIN
  -- One at a time; the lock belongs to the session, since this commits several times.
  place := api.try_lock('upkeep');
  IF place IS NULL THEN
    RAISE NOTICE 'another upkeep is under way';
    RETURN;
  END IF;

  -- Also chunks that were written to since they were compressed (status 1 compressed, 2 unordered, 8 partial).
  cutoff := now() - api.setting('late_window')::interval;
  FOR chunk IN
    SELECT format('%I.%I', i.chunk_schema, i.chunk_name)::regclass AS name
      FROM timescaledb_information.chunks AS i
      JOIN _timescaledb_catalog.chunk AS c ON c.schema_name = i.chunk_schema AND c.table_name = i.chunk_name
     WHERE i.hypertable_schema = 'core' AND i.hypertable_name = 'reading'
       AND i.range_end <= cutoff AND (c.status & 1 = 0 OR c.status & 10 <> 0)
       -- A question that began before sees compressed readings in one piece, whenever they were written: those of a
       -- stale day, which it reads raw, must not change under it.
       AND NOT EXISTS (SELECT FROM core.stale_day AS s
                        WHERE s.day < i.range_end AND s.day + INTERVAL '24 hours' > i.range_start)
     ORDER BY i.range_start
  LOOP
    PERFORM public.compress_chunk(chunk.name, true);
    COMMIT;
  END LOOP;

  -- Rollups stay, so nothing may be dropped that a stale day still needs to refresh them.
  cutoff := now() - api.setting('raw_retention')::interval;
  FOR chunk IN
    SELECT format('%I.%I', i.chunk_schema, i.chunk_name) AS name, i.range_end
      FROM timescaledb_information.chunks AS i
     WHERE i.hypertable_schema = 'core' AND i.hypertable_name = 'reading'
       -- No cutoff, nothing old enough: a comparison with null is not true.
       AND i.range_end <= cutoff
       AND i.range_end <= (SELECT materialized FROM core.horizon)
       AND NOT EXISTS (SELECT FROM core.stale_day AS s WHERE s.day < i.range_end)
     ORDER BY i.range_start
  LOOP
    -- Writers of such old readings are refused at the door; the lock keeps out one that was let in before.
    PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('hyperpulse horizon'));
    PERFORM public.drop_chunks('core.reading', older_than => chunk.range_end)
       FROM (SELECT) AS once
      WHERE NOT EXISTS (SELECT FROM core.stale_day AS s WHERE s.day < chunk.range_end);
    COMMIT;
  END LOOP;

  INSERT INTO core.verification (buckets, drift)
    SELECT count(*), count(*) FILTER (WHERE v.problem IS NOT NULL)
      FROM api.verify(now() - INTERVAL '30 days', now(), 10) AS v;
  DELETE FROM core.verification WHERE checked_at < now() - INTERVAL '90 days';
  COMMIT;
  PERFORM api.unlock('upkeep', place);
END
$$;

COMMENT ON PROCEDURE api.upkeep IS
  'Compresses chunks older than late_window, drops raw readings older than raw_retention once their rollups are up to date, and verifies a sample of the last 30 days; the job runs it every hour.';
