-- The hourly maintenance: compresses, drops, analyzes and verifies. No SET clause: a procedure with one cannot commit.
CREATE PROCEDURE api.upkeep()
LANGUAGE plpgsql AS $$
DECLARE
  started_at CONSTANT timestamptz := clock_timestamp();
  chunks bigint := 0;
  chunk  record;
  is_whole boolean;
  cutoff timestamptz;
  changed record;
  relation regclass;
BEGIN
  -- One at a time, by a claim of the session, since this procedure commits several times.
  IF NOT api_internal.claim('upkeep', from_idle => true) THEN
    RAISE NOTICE 'another upkeep is under way';
    RETURN;
  END IF;
  COMMIT;

  SELECT array_agg(d.day) AS days, array_agg(d.version) AS versions INTO changed FROM core.changed_day AS d;
  CALL api_internal.refresh_populations(changed.days);

  cutoff := now() - api_internal.setting('late_window')::interval;
  FOR chunk IN
    SELECT format('%I.%I', i.chunk_schema, i.chunk_name)::regclass AS name, i.range_start, i.range_end
      FROM timescaledb_information.chunks AS i
     WHERE i.hypertable_schema = 'core' AND i.hypertable_name = 'reading'
       AND i.range_end <= least(cutoff, (SELECT h.materialized FROM core.horizon AS h))
       -- Includes chunks that were written to after their compression.
       AND (NOT i.is_compressed
            OR EXISTS (SELECT FROM unnest(changed.days) AS d (day) WHERE d.day >= i.range_start AND d.day < i.range_end))
       -- Compressed readings are visible to older snapshots as well: readings of a stale day, which queries read raw, must
       -- not change under a running query.
       AND NOT EXISTS (SELECT FROM core.stale_day AS s
                        WHERE s.version > 0 AND s.day < i.range_end AND s.day + INTERVAL '24 hours' > i.range_start
                          AND s.quarters <> B'0'::bit(96))
     ORDER BY i.range_start
  LOOP
    PERFORM public.compress_chunk(chunk.name, true);
    chunks := chunks + 1;
    COMMIT;
  END LOOP;

  -- Chunks of samples and of intervals likewise; an interval reaches into the day after its chunk. Which days had late ones is not
  -- noted: what was written after a compression is found in the chunk.
  FOR chunk IN
    SELECT format('%I.%I', i.chunk_schema, i.chunk_name)::regclass AS name, i.is_compressed
      FROM timescaledb_information.chunks AS i
     WHERE i.hypertable_schema = 'core' AND i.range_end <= cutoff
       AND (i.hypertable_name = 'sample' AND i.range_end <= (SELECT h.materialized FROM core.horizon AS h)
            AND NOT EXISTS (SELECT FROM core.stale_day AS s
                             WHERE s.version > 0 AND s.day < i.range_end AND s.day + INTERVAL '24 hours' > i.range_start AND s.sample_quarters IS NOT NULL)
            OR i.hypertable_name = 'interval' AND i.range_end + INTERVAL '24 hours' <= (SELECT h.materialized FROM core.horizon AS h)
               AND NOT EXISTS (SELECT FROM core.stale_day AS s
                                WHERE s.version > 0 AND s.day < i.range_end + INTERVAL '24 hours' AND s.day + INTERVAL '24 hours' > i.range_start))
     ORDER BY i.range_start
  LOOP
    is_whole := chunk.is_compressed;
    IF is_whole THEN
      -- What was written after the compression is in the chunk itself.
      EXECUTE format('SELECT NOT EXISTS (SELECT FROM ONLY %s)', chunk.name) INTO is_whole;
    END IF;
    IF NOT is_whole THEN
      BEGIN
        PERFORM public.compress_chunk(chunk.name, true);
        chunks := chunks + 1;
      EXCEPTION
        -- Late samples are written to it at this moment, as long as an import lasts: the next upkeep tries again, and the rest of
        -- this one need not wait for that.
        WHEN serialization_failure OR deadlock_detected THEN
          NULL;
      END;
      COMMIT;
    END IF;
  END LOOP;

  -- Rollups stay, so readings that a stale day still needs for its refresh are not dropped.
  FOR chunk IN
    SELECT i.range_start, i.range_end
      FROM timescaledb_information.chunks AS i
     WHERE i.hypertable_schema = 'core' AND i.hypertable_name = 'reading'
       -- Without the setting the comparison with null is not true, and nothing is dropped. The hour covers readings that
       -- were validated before the bound moved and are still being stored.
       AND i.range_end <= now() - api_internal.setting('raw_retention')::interval - INTERVAL '1 hour'
       AND i.range_end <= (SELECT materialized FROM core.horizon)
     ORDER BY i.range_start
  LOOP
    IF api_internal.drop_raw(chunk.range_start, chunk.range_end) THEN
      chunks := chunks + 1;
    END IF;
    COMMIT;
  END LOOP;

  -- Samples, intervals and worn windows likewise, all of one range at a time, and a day later, since intervals reach into it. Without
  -- chunks of either, worn windows go as far as readings have gone.
  FOR chunk IN
    SELECT min(r.range_start) AS range_start, r.range_end
      FROM (SELECT i.range_start, i.range_end
              FROM timescaledb_information.chunks AS i
             WHERE i.hypertable_schema = 'core' AND i.hypertable_name IN ('sample', 'interval')
            UNION ALL
            SELECT b.range_end - INTERVAL '672 hours', b.range_end
              FROM core.horizon AS h
             CROSS JOIN LATERAL (SELECT public.time_bucket(INTERVAL '672 hours', h.raw_from - INTERVAL '24 hours', timestamptz '1970-01-01Z')) AS b (range_end)
             WHERE isfinite(h.raw_from) AND b.range_end >= h.samples_from) AS r
     WHERE r.range_end + INTERVAL '24 hours' <= now() - api_internal.setting('raw_retention')::interval - INTERVAL '1 hour'
     GROUP BY r.range_end
     ORDER BY r.range_end
  LOOP
    CALL api_internal.drop_samples(chunk.range_start, chunk.range_end, is_whole);
    -- What keeps one of them keeps the later ones.
    EXIT WHEN NOT is_whole;
    chunks := chunks + 1;
  END LOOP;

  -- Without autovacuum, as in the embedded database, no statistics exist unless this procedure collects them.
  IF NOT current_setting('autovacuum')::boolean
     AND (changed.days IS NOT NULL
          OR (SELECT c.reltuples < 0 FROM pg_class AS c WHERE c.oid = 'core.app_user'::regclass)) THEN
    FOR relation IN
      SELECT c.oid
        FROM pg_class AS c
       WHERE c.relnamespace IN ('core'::regnamespace, 'rollup'::regnamespace) AND c.relkind = 'r'
      UNION ALL
      SELECT format('%I.%I', a.materialization_hypertable_schema, a.materialization_hypertable_name)::regclass
        FROM timescaledb_information.continuous_aggregates AS a
       WHERE a.view_schema = 'rollup'
    LOOP
      EXECUTE format('ANALYZE %s', relation);
      COMMIT;
    END LOOP;
  END IF;

  -- Exactly the rows that were read: later changes are left to the next upkeep.
  DELETE FROM core.changed_day AS d
   USING unnest(changed.days, changed.versions) AS c (day, version)
   WHERE d.day = c.day AND d.version = c.version;
  COMMIT;

  INSERT INTO core.verification (buckets, drift)
    SELECT count(*), count(*) FILTER (WHERE v.problem IS NOT NULL)
      FROM api.verify(now() - INTERVAL '30 days', now(), 10) AS v;
  DELETE FROM core.verification WHERE checked_at < now() - INTERVAL '90 days';
  PERFORM api_internal.note_run('upkeep', started_at, chunks);
  PERFORM api_internal.release('upkeep');
  COMMIT;
END
$$;

COMMENT ON PROCEDURE api.upkeep IS
  'Refreshes populations, compresses chunks of readings, samples and intervals older than late_window, drops raw readings, samples, intervals and worn windows older than raw_retention once their rollups are up to date, analyzes tables where autovacuum is off, and verifies a sample of the last 30 days. The service''s elected process runs it every hour, and so does the job.';
