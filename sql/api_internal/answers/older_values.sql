-- A user's latest values before a moment.
CREATE FUNCTION api_internal.older_values(user_key int, before timestamptz, metrics text[], known api_internal.metric_moment[]) RETURNS TABLE (
  metric    text,
  value     double precision,
  ts        timestamptz,
  device_id text
)
-- STABLE, so that rollups and raw readings are read in one snapshot.
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET datestyle = 'ISO'
AS $$
#variable_conflict use_column
DECLARE
  wanted_user CONSTANT int := user_key;
  missing text[] := metrics;
  day     timestamptz;
  day_end timestamptz := before;
  raw_day timestamptz;
BEGIN
  -- First the time above the horizon, then only days that are stale or have a missing metric in the rollup.
  SELECT public.time_bucket(INTERVAL '24 hours', h.materialized), h.raw_from INTO day, raw_day FROM core.horizon AS h;
  WHILE missing <> '{}' LOOP
    -- What is known to be later needs no search: days may have steps and calories of intervals only.
    IF known <> '{}' THEN
      missing := ARRAY(SELECT m FROM unnest(missing) AS m WHERE NOT EXISTS (SELECT FROM unnest(known) AS k WHERE k.metric = m AND k.ts >= day_end));
    END IF;
    IF day < day_end THEN
      FOR metric, value, ts, device_id IN EXECUTE format(
          -- As in recent_values: a skip scan over the devices, and a lookup for each of them and each metric, so that a day of
          -- many readings is not sorted. Literal bounds let the planner exclude chunks.
          'WITH RECURSIVE worn AS (
             (SELECT r.device_key FROM core.reading AS r
               WHERE r.user_key = $1 AND r.ts >= %1$L AND r.ts < %2$L
               ORDER BY r.device_key LIMIT 1)
             UNION ALL
             SELECT (SELECT r.device_key FROM core.reading AS r
                      WHERE r.user_key = $1 AND r.device_key > w.device_key AND r.ts >= %1$L AND r.ts < %2$L
                      ORDER BY r.device_key LIMIT 1)
               FROM worn AS w
              WHERE w.device_key IS NOT NULL
           )
           SELECT DISTINCT ON (m.metric) m.metric, v.value, v.ts, d.device_id
             FROM worn AS w
             JOIN core.device AS d USING (device_key)
            CROSS JOIN unnest($2) AS m (metric)
            CROSS JOIN LATERAL (
              SELECT x.value, r.ts
                FROM core.reading AS r
               CROSS JOIN LATERAL (
                 SELECT CASE m.metric WHEN ''heart_rate'' THEN r.heart_rate WHEN ''steps'' THEN r.steps
                                    WHEN ''calories'' THEN r.calories END
               ) AS x (value)
               WHERE r.user_key = $1 AND r.device_key = w.device_key AND r.ts >= %1$L AND r.ts < %2$L AND x.value IS NOT NULL
               ORDER BY r.ts DESC
               LIMIT 1
            ) AS v
            ORDER BY m.metric, v.ts DESC, d.priority, d.device_key', day, day_end) USING wanted_user, missing
      LOOP
        missing := array_remove(missing, metric);
        RETURN NEXT;
      END LOOP;
      day_end := day;
    END IF;
    day := greatest(
      -- Adding zero keeps s.day out of the index condition: the planner then looks up the user's marks, not all users'
      -- marks of the day.
      (SELECT max(s.day + INTERVAL '0') FROM core.stale_day AS s
        WHERE s.user_key = wanted_user AND s.day + INTERVAL '0' < day_end),
      (SELECT v.bucket
         FROM rollup.user_1d AS v
        WHERE v.user_key = wanted_user AND v.bucket < day_end
          AND ((v.heart_rate_count > 0 AND 'heart_rate' = ANY (missing))
               OR (v.steps IS NOT NULL AND 'steps' = ANY (missing))
               OR (v.calories IS NOT NULL AND 'calories' = ANY (missing)))
        ORDER BY v.bucket DESC
        LIMIT 1));
    EXIT WHEN day IS NULL OR day < raw_day;
    day_end := day + INTERVAL '24 hours';
  END LOOP;
  -- Values that retention has dropped are older than all of the above.
  RETURN QUERY
    SELECT v.metric, v.value, v.ts, d.device_id
      FROM core.last_value AS v
      JOIN core.device AS d USING (device_key)
     WHERE v.user_key = wanted_user AND v.metric = ANY (missing);
END
$$;

COMMENT ON FUNCTION api_internal.older_values IS
  'A user''s latest value before a moment of each metric named (heart_rate, steps, calories), of readings; of several devices at the same moment the best one. One row per metric ever measured before it, which may be left out where a later moment is known of the metric.';
