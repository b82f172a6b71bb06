-- A user's readings by bucket, over any range, at any resolution.
CREATE FUNCTION api.series(
  tenant_id text, user_id text, range_start timestamptz, range_end timestamptz,
  bucket text DEFAULT 'auto', tz text DEFAULT 'UTC', max_points int DEFAULT 1000, device_id text DEFAULT NULL
) RETURNS TABLE (
  t                timestamptz,
  heart_rate_count bigint,
  heart_rate_avg   double precision,
  heart_rate_min   double precision,
  heart_rate_max   double precision,
  heart_rate_device text,
  steps            bigint,
  calories         double precision,
  bucket_used      text,
  sources          text[]
)
LANGUAGE plpgsql STABLE AS $$
DECLARE
  user_key   CONSTANT int := api.find_user(tenant_id, user_id);
  device_key CONSTANT int := api.find_device(tenant_id, device_id);
  bounds_start timestamptz := range_start;
  bounds_end   timestamptz := range_end;
  rows_query text;
  label      text;
BEGIN
  bucket_used := CASE bucket WHEN 'auto' THEN api.auto_bucket(range_start, range_end, max_points) ELSE bucket END;
  IF bucket_used NOT IN ('1m', '5m', '15m', '1h', '1d', '1w', '1mo') THEN
    RAISE EXCEPTION 'bucket is %', bucket
      USING ERRCODE = 'invalid_parameter_value', HINT = 'It must be one of auto, 1m, 5m, 15m, 1h, 1d, 1w, 1mo.';
  END IF;
  IF user_key IS NULL OR (device_id IS NOT NULL AND device_key IS NULL) THEN
    RETURN;
  END IF;
  -- Nothing lies outside these, and time zones need not be looked up for it.
  SELECT greatest(range_start, b.oldest), least(range_end, b.newest + INTERVAL '1 day') INTO bounds_start, bounds_end
    FROM api.timestamp_bounds() AS b;

  SELECT q.query, q.sources INTO rows_query, sources
    FROM api.rows_query(user_key, device_key, bounds_start, bounds_end,
                        api.coarsest_level(bucket_used, tz, bounds_start, bounds_end)) AS q;
  IF rows_query IS NULL THEN
    RETURN;
  END IF;
  label := CASE bucket_used
    WHEN '1m' THEN 'public.time_bucket(INTERVAL ''1 minute'', bucket)'
    WHEN '5m' THEN 'public.time_bucket(INTERVAL ''5 minutes'', bucket)'
    WHEN '15m' THEN 'public.time_bucket(INTERVAL ''15 minutes'', bucket)'
    WHEN '1h' THEN 'public.time_bucket(INTERVAL ''1 hour'', bucket)'
    ELSE format('date_trunc(%L, bucket, %L)',
                CASE bucket_used WHEN '1d' THEN 'day' WHEN '1w' THEN 'week' ELSE 'month' END, tz) END;
  RETURN QUERY EXECUTE
    'SELECT g.t, g.heart_rate_count, api.from_micro(g.heart_rate_sum, nullif(g.heart_rate_count, 0)),
            g.heart_rate_min, g.heart_rate_max, d.device_id, g.steps, api.from_micro(g.calories), $1, $2
       FROM (SELECT ' || label || ' AS t, sum(heart_rate_count)::bigint AS heart_rate_count,
                    sum(heart_rate_sum)::bigint AS heart_rate_sum, min(heart_rate_min) AS heart_rate_min,
                    max(heart_rate_max) AS heart_rate_max, sum(steps)::bigint AS steps, sum(calories)::bigint AS calories,
                    CASE WHEN min(heart_rate_device) = max(heart_rate_device) THEN min(heart_rate_device) END AS device_key
               FROM (' || rows_query || ') AS r GROUP BY 1) AS g
       LEFT JOIN core.device AS d USING (device_key)
      ORDER BY g.t' USING bucket_used, sources;
END
$$;

COMMENT ON FUNCTION api.series IS
  'A user''s readings in range_start <= t < range_end by bucket, ascending, exactly; only buckets that hold a reading. Days, weeks (from Monday) and months are local to tz. heart_rate_device is the device where a single one gave all of a bucket''s heart rates. bucket_used is what auto chose, sources the resolutions that answered.';
