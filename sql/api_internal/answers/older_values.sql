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
AS $$
#variable_conflict use_column
DECLARE
  wanted_user CONSTANT int := user_key;
  missing text[] := metrics;
  -- Of the missing ones, those that the rollup has on the day; null where it does not answer for all of the day.
  present text[];
  day     timestamptz;
  day_end timestamptz := before;
  marked  timestamptz;
  rolled  timestamptz;
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
      FOR metric, value, ts, device_id IN
        SELECT q.metric, q.value, q.ts, q.device_id
          FROM api_internal.quarter_values(array_fill(wanted_user, ARRAY[cardinality(missing)]), missing, day, day_end) AS q
         WHERE present IS NULL
        UNION ALL
        SELECT w.metric, w.value, w.ts, w.device_id
          FROM api_internal.values_within(
            array_fill(wanted_user, ARRAY[cardinality(present)]), present, array_fill(day, ARRAY[cardinality(present)]),
            array_fill(day_end, ARRAY[cardinality(present)])) AS w
         WHERE present IS NOT NULL
      LOOP
        missing := array_remove(missing, metric);
        RETURN NEXT;
      END LOOP;
      day_end := day;
    END IF;
    marked := (SELECT max(s.day) FROM core.stale_day AS s
                WHERE s.user_key = wanted_user AND s.day < day_end AND s.quarters <> B'0'::bit(96));
    SELECT v.bucket,
           ARRAY(SELECT m
                   FROM unnest(missing) AS m
                  WHERE CASE m WHEN 'heart_rate' THEN v.heart_rate_count > 0 WHEN 'steps' THEN v.steps IS NOT NULL
                               WHEN 'calories' THEN v.calories IS NOT NULL END)
      INTO rolled, present
      FROM rollup.user_1d AS v
     WHERE v.user_key = wanted_user AND v.bucket < day_end
       AND ((v.heart_rate_count > 0 AND 'heart_rate' = ANY (missing))
            OR (v.steps IS NOT NULL AND 'steps' = ANY (missing))
            OR (v.calories IS NOT NULL AND 'calories' = ANY (missing)))
     ORDER BY v.bucket DESC
     LIMIT 1;
    day := greatest(marked, rolled);
    IF day = marked THEN
      present := NULL;
    END IF;
    EXIT WHEN day IS NULL OR day < raw_day;
    day_end := least(day_end, day + INTERVAL '24 hours');
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
