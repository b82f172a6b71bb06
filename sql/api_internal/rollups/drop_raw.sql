-- Drops raw readings, and remembers that they are gone.
CREATE FUNCTION api_internal.drop_raw(range_start timestamptz, range_end timestamptz) RETURNS boolean
LANGUAGE plpgsql
SET datestyle = 'ISO'
AS $$
BEGIN
  -- In the order in which everyone takes these. Without refreshers, which may be about to read what goes, and without writers,
  -- who learn from here on that nothing older is accepted.
  PERFORM pg_advisory_xact_lock(hashtext('hyperpulse refresh'));
  PERFORM FROM core.horizon FOR UPDATE;
  PERFORM pg_advisory_xact_lock(hashtext('hyperpulse horizon'));
  IF EXISTS (SELECT FROM core.stale_day AS s WHERE s.day < range_end)
     OR (SELECT h.materialized < range_end FROM core.horizon AS h) THEN
    RETURN false;
  END IF;
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
        CROSS JOIN LATERAL (VALUES (''heart_rate'', l.heart_rate_ts, l.heart_rate), (''steps'', l.steps_ts, l.steps),
                                   (''calories'', l.calories_ts, l.calories)) AS m (metric, ts, value)
        WHERE m.ts IS NOT NULL
        ORDER BY l.user_key, m.metric, m.ts DESC, d.priority, d.device_key
     ON CONFLICT (user_key, metric) DO UPDATE
       SET ts = excluded.ts, value = excluded.value, device_key = excluded.device_key
       WHERE v.ts < excluded.ts', range_start, range_end);
  PERFORM public.drop_chunks('core.reading', older_than => range_end);
  RETURN true;
END
$$;

COMMENT ON FUNCTION api_internal.drop_raw IS
  'Drops the chunks of raw readings before the end of a range, the range of the oldest one, unless a stale day still needs them; returns whether it did. From then on no reading is accepted there, whatever the settings say, so that rollups are never computed from the rest; each metric''s last value of a user is kept.';
