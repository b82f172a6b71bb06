-- Drops raw readings, and records up to where they are dropped.
CREATE FUNCTION api_internal.drop_raw(range_start timestamptz, range_end timestamptz) RETURNS boolean
LANGUAGE plpgsql
SET datestyle = 'ISO'
AS $$
BEGIN
  -- The lock order of all transactions. Excludes refreshers, which might read the dropped readings, and writers, which must
  -- see the new bound before they store older readings.
  LOCK TABLE core.refresh_lock IN EXCLUSIVE MODE;
  PERFORM FROM core.horizon FOR UPDATE;
  LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;
  IF (SELECT min(s.day) FROM core.stale_day AS s WHERE s.version > 0) < range_end
     OR (SELECT h.materialized < range_end FROM core.horizon AS h) THEN
    RETURN false;
  END IF;
  BEGIN
    UPDATE core.horizon SET raw_from = greatest(raw_from, range_end);
    EXECUTE format(
      'INSERT INTO core.last_value AS v (user_key, metric, ts, value, device_key)
         SELECT DISTINCT ON (l.user_key, m.metric) l.user_key, m.metric, m.ts, m.value, l.device_key
           FROM (SELECT r.user_key, r.device_key,
                        max(r.ts) FILTER (WHERE r.heart_rate IS NOT NULL) AS heart_rate_ts,
                        public.last(r.heart_rate, r.ts) FILTER (WHERE r.heart_rate IS NOT NULL) AS heart_rate,
                        max(r.ts) FILTER (WHERE r.steps IS NOT NULL) AS steps_ts,
                        public.last(r.steps, r.ts) FILTER (WHERE r.steps IS NOT NULL) AS steps,
                        max(r.ts) FILTER (WHERE r.calories IS NOT NULL) AS calories_ts,
                        public.last(r.calories, r.ts) FILTER (WHERE r.calories IS NOT NULL) AS calories
                   FROM core.reading AS r
                  WHERE r.ts >= %L AND r.ts < %L
                  GROUP BY r.user_key, r.device_key) AS l
           JOIN core.device AS d USING (device_key)
          CROSS JOIN LATERAL (VALUES (''heart_rate'', l.heart_rate_ts, l.heart_rate, d.heart_rate_rank),
                                     (''steps'', l.steps_ts, l.steps, d.steps_rank),
                                     (''calories'', l.calories_ts, l.calories, d.calories_rank)) AS m (metric, ts, value, rank)
          WHERE m.ts IS NOT NULL
          ORDER BY l.user_key, m.metric, m.ts DESC, m.rank
       ON CONFLICT (user_key, metric) DO UPDATE
         SET ts = excluded.ts, value = excluded.value, device_key = excluded.device_key
         WHERE v.ts < excluded.ts', range_start, range_end);
    -- A query that reads the chunk, for as long as it likes, must not hold up all writers.
    PERFORM set_config('lock_timeout', '1s', true);
    PERFORM public.drop_chunks('core.reading', older_than => range_end);
  EXCEPTION
    WHEN lock_not_available THEN
      RETURN false;
  END;
  RETURN true;
END
$$;

COMMENT ON FUNCTION api_internal.drop_raw IS
  'Drops the chunks of raw readings before the end of a range, which is the range of the oldest chunk, unless a stale day still needs them, or a query still reads them after a second; returns whether it did. No reading is accepted there afterwards, regardless of the settings, so that rollups are never computed from a part of the readings. Keeps each user''s last value of each metric.';
