-- The latest values in a range, of metrics of many users at once, found by the rollups.
CREATE FUNCTION api_internal.quarter_values(user_keys int[], metrics text[], since timestamptz, until timestamptz) RETURNS TABLE (
  user_key  int,
  metric    text,
  value     double precision,
  ts        timestamptz,
  device_id text
)
-- STABLE, so that rollups and raw readings are read in one snapshot.
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  keys  int[];
  names text[];
  lows  timestamptz[];
  highs timestamptz[];
BEGIN
  IF NOT since < until THEN
    RETURN;
  END IF;
  -- A value is in the last quarter that has the metric by a rollup that holds, or in one after it that no rollup answers
  -- for: above the horizon, marked, or cut by the range's end. So of a metric that a device never sends, only the latter are read.
  WITH known AS MATERIALIZED (
    SELECT u.user_key,
           -- Steps and calories of a rollup may come from intervals, which are no readings.
           EXISTS (SELECT FROM core.interval_series AS i
                    WHERE i.user_key = u.user_key AND i.kind < 2 AND i.metric_key < 4) AS has_intervals,
           (SELECT tstzmultirange(tstzrange(least(h.materialized, public.time_bucket(INTERVAL '15 minutes', until)), NULL))
              FROM core.horizon AS h)
             + coalesce(range_agg(api_internal.quarter_ranges(s.day, s.quarters)) FILTER (WHERE s.day IS NOT NULL), '{}') AS unknown
      FROM (SELECT DISTINCT p.user_key FROM unnest(user_keys) AS p (user_key)) AS u
      LEFT JOIN (SELECT m.user_key, m.day, bit_or(m.quarters) AS quarters
                   FROM core.stale_day AS m
                  WHERE m.user_key = ANY (user_keys)
                    AND m.day > since - INTERVAL '24 hours' AND m.day < until
                  GROUP BY m.user_key, m.day) AS s USING (user_key)
     GROUP BY u.user_key
  )
  SELECT array_agg(p.user_key), array_agg(p.metric), array_agg(lower(r.range)), array_agg(upper(r.range))
    INTO keys, names, lows, highs
    FROM unnest(user_keys, metrics) AS p (user_key, metric)
    JOIN (SELECT u.user_key, m.metric,
                 CASE WHEN u.has_intervals AND m.metric <> 'heart_rate' THEN tstzmultirange(tstzrange(NULL, NULL)) ELSE u.unknown END AS unknown
            FROM known AS u
           CROSS JOIN unnest(ARRAY['heart_rate', 'steps', 'calories']) AS m (metric)) AS k USING (user_key, metric)
    LEFT JOIN LATERAL (
      SELECT v.bucket
        FROM rollup.user_15m AS v
       WHERE v.user_key = p.user_key AND v.bucket > since - INTERVAL '15 minutes' AND v.bucket < until
         AND CASE p.metric WHEN 'heart_rate' THEN v.heart_rate_count > 0 WHEN 'steps' THEN v.steps IS NOT NULL
                           WHEN 'calories' THEN v.calories IS NOT NULL END
         AND NOT k.unknown @> v.bucket
       ORDER BY v.bucket DESC
       LIMIT 1
    ) AS c ON true
   CROSS JOIN LATERAL unnest(
     -- A range without a beginning, where there is no such quarter, is all time.
     (k.unknown * tstzmultirange(tstzrange(c.bucket, NULL))
        + CASE WHEN c.bucket IS NULL THEN '{}' ELSE tstzmultirange(tstzrange(c.bucket, c.bucket + INTERVAL '15 minutes')) END)
       * tstzmultirange(tstzrange(since, until))) AS r (range);
  IF keys IS NOT NULL THEN
    RETURN QUERY SELECT * FROM api_internal.values_within(keys, names, lows, highs);
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.quarter_values IS
  'The latest value in a half-open range of each pair of a user''s key and a metric (heart_rate, steps, calories), given as two arrays; of several devices at the same moment the best one. One row per pair with a value there. Reads the quarters of an hour that may have the metric: by the rollup, or because no rollup answers for them.';
