-- Deletes a range of a user's readings, samples and intervals.
CREATE FUNCTION api.delete_readings(
  tenant_id text, user_id text, range_start timestamptz, range_end timestamptz, device_id text DEFAULT NULL,
  OUT deleted bigint, OUT first_ts timestamptz, OUT last_ts timestamptz, OUT samples bigint, OUT intervals bigint
)
LANGUAGE plpgsql
-- Most of the deleted rows may be compressed.
SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0
-- In partially compressed chunks, a DELETE by bitmap scan misses the rows that it has just decompressed.
SET enable_bitmapscan = off
SET datestyle = 'ISO'
AS $$
#variable_conflict use_column
DECLARE
  wanted_user   CONSTANT int := api_internal.find_user(tenant_id, user_id);
  wanted_device CONSTANT int := api_internal.find_device(tenant_id, delete_readings.device_id);
  horizon  core.horizon;
  kept     timestamptz;
  found    record;
BEGIN
  deleted := 0;
  samples := 0;
  intervals := 0;
  IF range_start IS NULL OR range_end IS NULL THEN
    RAISE EXCEPTION 'the range has no %', CASE WHEN range_start IS NULL THEN 'start' ELSE 'end' END
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give both ends of what is to be deleted.';
  END IF;
  PERFORM api_internal.require_open(ARRAY[tenant_id]);
  IF wanted_user IS NULL OR (delete_readings.device_id IS NOT NULL AND wanted_device IS NULL) THEN
    RETURN;
  END IF;

  SELECT h.* INTO horizon FROM core.horizon AS h;
  -- Rollups of dropped readings and samples cannot be split, and a worn window has a part in those of its hours.
  IF range_start < horizon.raw_from AND range_start < range_end THEN
    kept := CASE
      WHEN EXISTS (
             SELECT FROM rollup.user_15m AS r
              WHERE r.user_key = wanted_user AND r.last_ts >= range_start AND r.first_ts < range_end
                AND r.bucket >= public.time_bucket(INTERVAL '15 minutes', range_start) AND r.bucket < least(range_end, horizon.raw_from))
           OR EXISTS (
             SELECT FROM core.worn_window AS w
              WHERE w.user_key = wanted_user AND w.ts >= range_start AND w.ts < least(range_end, horizon.raw_from))
        THEN horizon.raw_from
      WHEN EXISTS (
             SELECT FROM core.sample_series AS s
              CROSS JOIN LATERAL (
                SELECT FROM rollup.sample_15m AS r
                 WHERE r.user_key = wanted_user AND r.metric_key = s.metric_key AND r.last_ts >= range_start AND r.first_ts < range_end
                   AND r.bucket >= public.time_bucket(INTERVAL '15 minutes', range_start) AND r.bucket < least(range_end, horizon.samples_from)
                 LIMIT 1) AS r
              WHERE s.user_key = wanted_user)
        THEN horizon.samples_from END;
  END IF;
  IF kept IS NOT NULL THEN
    RAISE EXCEPTION 'start is %, and readings before % are kept as rollups only, which cannot be deleted in part',
                    api_internal.iso_moment(range_start), api_internal.iso_moment(kept)
      USING ERRCODE = 'invalid_parameter_value',
            HINT = format('Start at %s, or erase the user.', api_internal.iso_moment(kept));
  END IF;

  -- Repeat until no reading is left, since one DELETE may miss some. Literal bounds let the planner exclude chunks.
  LOOP
    EXECUTE format(
      'WITH gone AS (
         DELETE FROM core.reading AS r
          WHERE r.user_key = $1 %s AND r.ts >= %L AND r.ts < %L
         RETURNING r.ts
       )
       SELECT sum(q.readings)::bigint AS readings, min(q.first_ts) AS first_ts, max(q.last_ts) AS last_ts,
              array_agg(q.first_ts) AS quarters, array_fill($1, ARRAY[count(*)::int]) AS user_keys
         FROM (SELECT count(*) AS readings, min(g.ts) AS first_ts, max(g.ts) AS last_ts
                 FROM gone AS g
                GROUP BY public.time_bucket(INTERVAL ''15 minutes'', g.ts)) AS q',
      CASE WHEN wanted_device IS NOT NULL THEN 'AND r.device_key = $2' ELSE '' END, range_start, range_end)
      INTO found USING wanted_user, wanted_device;
    EXIT WHEN found.readings IS NULL;
    deleted := deleted + found.readings;
    first_ts := least(first_ts, found.first_ts);
    last_ts := greatest(last_ts, found.last_ts);
    PERFORM api_internal.mark_stale(found.user_keys, found.quarters);
  END LOOP;
  LOOP
    EXECUTE format(
      'WITH gone AS (
         DELETE FROM core.sample AS s
          WHERE s.user_key = $1 %s AND s.ts >= %L AND s.ts < %L
         RETURNING s.ts
       )
       SELECT sum(q.samples)::bigint AS samples, min(q.first_ts) AS first_ts, max(q.last_ts) AS last_ts,
              array_agg(q.first_ts) AS quarters, array_fill($1, ARRAY[count(*)::int]) AS user_keys
         FROM (SELECT count(*) AS samples, min(g.ts) AS first_ts, max(g.ts) AS last_ts
                 FROM gone AS g
                GROUP BY public.time_bucket(INTERVAL ''15 minutes'', g.ts)) AS q',
      CASE WHEN wanted_device IS NOT NULL THEN 'AND s.device_key = $2' ELSE '' END, range_start, range_end)
      INTO found USING wanted_user, wanted_device;
    EXIT WHEN found.samples IS NULL;
    samples := samples + found.samples;
    first_ts := least(first_ts, found.first_ts);
    last_ts := greatest(last_ts, found.last_ts);
    PERFORM api_internal.mark_samples(found.user_keys, found.quarters);
  END LOOP;
  -- Intervals that begin in the range, however long they last, and whatever kind.
  LOOP
    EXECUTE format(
      'WITH gone AS (
         DELETE FROM core.interval AS i
          WHERE i.user_key = $1 %1$s AND i.ts >= %2$L AND i.ts < %3$L
         RETURNING i.ts, i.ends_at, i.metric_key < 4 AS is_of_readings, i.metric_key > 3 AS is_of_samples
       ), worn AS (
         DELETE FROM core.worn_window AS i
          WHERE i.user_key = $1 %1$s AND i.ts >= %2$L AND i.ts < %3$L
         RETURNING i.ts, i.ends_at, true, true
       ), totals AS (
         DELETE FROM core.daily_total AS i
          WHERE i.user_key = $1 %1$s AND i.ts >= %2$L AND i.ts < %3$L
         RETURNING i.ts, i.ends_at, false, false
       )
       SELECT count(*) AS intervals, min(g.ts) AS first_ts, max(g.ts) AS last_ts,
              array_agg(g.ts) FILTER (WHERE g.is_of_readings) AS starts, array_agg(g.ends_at) FILTER (WHERE g.is_of_readings) AS ends,
              array_fill($1, ARRAY[count(*) FILTER (WHERE g.is_of_readings)::int]) AS user_keys,
              array_agg(g.ts) FILTER (WHERE g.is_of_samples) AS sample_starts, array_agg(g.ends_at) FILTER (WHERE g.is_of_samples) AS sample_ends,
              array_fill($1, ARRAY[count(*) FILTER (WHERE g.is_of_samples)::int]) AS sample_users
         FROM (SELECT * FROM gone UNION ALL SELECT * FROM worn UNION ALL SELECT * FROM totals) AS g',
      CASE WHEN wanted_device IS NOT NULL THEN 'AND i.device_key = $2' ELSE '' END, range_start, range_end)
      INTO found USING wanted_user, wanted_device;
    EXIT WHEN found.intervals = 0;
    intervals := intervals + found.intervals;
    first_ts := least(first_ts, found.first_ts);
    last_ts := greatest(last_ts, found.last_ts);
    IF found.starts IS NOT NULL THEN
      PERFORM api_internal.mark_cells(found.user_keys, found.starts, found.ends);
    END IF;
    IF found.sample_starts IS NOT NULL THEN
      PERFORM api_internal.mark_sample_cells(found.sample_users, found.sample_starts, found.sample_ends);
    END IF;
  END LOOP;
  IF deleted + samples + intervals > 0 THEN
    PERFORM api_internal.note_act('delete readings', tenant_id, jsonb_build_object('readings', deleted, 'samples', samples, 'intervals', intervals));
    -- Finding each listener's new latest values would take long, so live listeners get the full state.
    PERFORM api_internal.announce_many(delete_readings.tenant_id);
  END IF;
END
$$;

COMMENT ON FUNCTION api.delete_readings IS
  'Deletes a user''s readings and samples in range_start <= t < range_end, and the intervals, worn windows and daily totals that begin there, of every device or of one, including compressed ones. Returns how many readings, samples and intervals of any kind, and the timestamps of the first and the last of them; zeros and nulls if there are none. Marks the affected quarters of an hour stale, so that every answer is exact once the transaction commits; live listeners then get the full state. Refuses a range with readings, samples or intervals that retention has dropped, because only their rollups are kept. The user and the devices stay.';
