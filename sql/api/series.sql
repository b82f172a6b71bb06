-- A user's readings by bucket, over any range, at any resolution.
CREATE FUNCTION api.series(
  tenant_id text, user_id text, range_start timestamptz, range_end timestamptz,
  bucket text DEFAULT 'auto', tz text DEFAULT 'UTC', max_points int DEFAULT 1000, device_id text DEFAULT NULL,
  fill boolean DEFAULT false
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
-- STABLE, so that marks, rollups and raw readings are read in one snapshot.
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- The query's text contains timestamps; other styles write them with ambiguous zone abbreviations.
SET datestyle = 'ISO'
AS $$
#variable_conflict use_column
DECLARE
  zone          CONSTANT text := api.time_zone(tz);
  wanted_user   CONSTANT int := api_internal.find_user(tenant_id, user_id);
  wanted_device CONSTANT int := CASE WHEN series.device_id IS NOT NULL THEN api_internal.find_device(tenant_id, series.device_id) END;
  bounds_start timestamptz := range_start;
  bounds_end   timestamptz := range_end;
  -- Expressions for the bucket of a timestamp, and for the buckets of a range; local buckets follow the calendar of the time zone.
  unit       text;
  width      interval;
  coarsest   text;
  parts      api_internal.part[];
  label      text;
  start      text := 'label';
  labels     text;
  source     text := 'api_internal.rows($3, $4, $5)';
  totals     api_internal.bucket_row[];
BEGIN
  bucket_used := CASE bucket WHEN 'auto' THEN api.auto_bucket(range_start, range_end, max_points) ELSE bucket END;
  IF bucket_used NOT IN ('raw', '1m', '5m', '15m', '1h', '1d', '1w', '1mo') THEN
    RAISE EXCEPTION 'bucket is %', bucket
      USING ERRCODE = 'invalid_parameter_value', HINT = 'It must be one of auto, raw, 1m, 5m, 15m, 1h, 1d, 1w, 1mo.';
  END IF;
  IF wanted_user IS NULL OR (series.device_id IS NOT NULL AND wanted_device IS NULL) THEN
    RETURN;
  END IF;
  IF bucket = 'auto' AND bucket_used IN ('1m', '5m') AND range_start < (SELECT h.raw_from FROM core.horizon AS h) THEN
    bucket_used := '15m'; -- the finest resolution that retention keeps
  END IF;
  -- No reading lies outside these bounds, so no time zone rules are needed for them.
  bounds_start := greatest(range_start, api_internal.setting('oldest_timestamp')::timestamptz);
  bounds_end := least(range_end, (SELECT b.newest + INTERVAL '24 hours' FROM api_internal.timestamp_bounds() AS b));

  IF bucket_used = 'raw' AND EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = wanted_user AND i.kind = 0 AND i.metric_key < 4) THEN
    RETURN QUERY
      SELECT v.ts, v.count, v.heart_rate, v.heart_rate, v.heart_rate, d.device_id, v.steps, v.calories, bucket_used, ARRAY['raw']
        FROM (SELECT r.ts, r.ts AS ends_at, r.device_key, (r.heart_rate IS NOT NULL)::int::bigint AS count, r.heart_rate,
                     r.steps::bigint AS steps, r.calories
                FROM core.reading AS r
               WHERE r.user_key = wanted_user AND r.ts >= bounds_start AND r.ts < bounds_end
              UNION ALL
              -- Intervals where they begin, whole: what one device counted from a moment to another is one row.
              SELECT i.ts, i.ends_at, i.device_key, 0, NULL, max(round(i.value)) FILTER (WHERE i.metric_key = 2)::bigint,
                     max(i.value) FILTER (WHERE i.metric_key = 3)
                FROM core.interval AS i
               WHERE i.user_key = wanted_user AND i.metric_key IN (2, 3) AND i.ts >= bounds_start AND i.ts < bounds_end
               GROUP BY i.ts, i.ends_at, i.device_key) AS v
        JOIN core.device AS d ON d.device_key = v.device_key
       WHERE wanted_device IS NULL OR v.device_key = wanted_device
       ORDER BY v.ts, v.device_key, v.ends_at;
    RETURN;
  ELSIF bucket_used = 'raw' THEN
    RETURN QUERY
      SELECT r.ts, (r.heart_rate IS NOT NULL)::int::bigint, r.heart_rate, r.heart_rate, r.heart_rate,
             d.device_id, r.steps::bigint, r.calories, bucket_used, ARRAY['raw']
        FROM core.reading AS r
        JOIN core.device AS d ON d.device_key = r.device_key
       WHERE r.user_key = wanted_user
         AND r.ts >= bounds_start AND r.ts < bounds_end
         AND (wanted_device IS NULL OR r.device_key = wanted_device)
       ORDER BY r.ts, r.device_key;
    RETURN;
  END IF;

  unit := CASE bucket_used WHEN '1d' THEN 'day' WHEN '1w' THEN 'week' WHEN '1mo' THEN 'month' END;
  coarsest := api_internal.coarsest_level(bucket_used, zone, bounds_start, bounds_end);
  SELECT array_agg((p.source, p.part_start, p.part_end, NULL)::api_internal.part), array_agg(DISTINCT p.source)
    INTO parts, sources
    FROM api_internal.route_range(wanted_user, bounds_start, bounds_end, coarsest) AS p;
  IF parts IS NULL THEN
    RETURN;
  END IF;
  IF unit IS NOT NULL AND coarsest IN ('1h', '15m') AND wanted_device IS NULL THEN
    SELECT array_agg((p.source, greatest(p.part_start, s.span_start), least(p.part_end, s.span_end), s.midnight)::api_internal.part)
      INTO parts
      FROM unnest(parts) AS p
      LEFT JOIN api_internal.local_spans(zone, bounds_start, bounds_end) AS s
        ON p.source = coarsest AND s.span_start < p.part_end AND s.span_end > p.part_start;
  END IF;
  width := CASE bucket_used WHEN '1m' THEN '1 minute' WHEN '5m' THEN '5 minutes' WHEN '15m' THEN '15 minutes'
                            WHEN '1h' THEN '1 hour' WHEN '1d' THEN '1 day' WHEN '1w' THEN '1 week' ELSE '1 month' END;
  IF unit IS NULL THEN
    label := format('public.time_bucket(%L::interval, bucket)', width);
    labels := format('SELECT generate_series(public.time_bucket(%L::interval, %L::timestamptz), '
                     '%L::timestamptz - INTERVAL ''1 microsecond'', %L::interval)',
                     width, range_start, range_end, width);
  ELSE
    label := format('date_trunc(%L, bucket AT TIME ZONE %L)', unit, zone);
    start := format('api_internal.local_start(label, %L)', zone);
    labels := format('SELECT DISTINCT api_internal.local_start(local, %2$L) '
                     'FROM generate_series(date_trunc(%1$L, %3$L::timestamptz AT TIME ZONE %2$L), '
                     '(%4$L::timestamptz - INTERVAL ''1 microsecond'') AT TIME ZONE %2$L, %5$L::interval) AS local',
                     unit, zone, range_start, range_end, width);
  END IF;
  IF unit IS NOT NULL AND EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = wanted_user AND i.kind = 2 AND i.metric_key < 4) THEN
    -- Daily totals count in the bucket in which they lie as a whole.
    SELECT array_agg((t.ts, t.ts, t.ts, NULL, 0, NULL, NULL, CASE t.metric_key WHEN 3 THEN t.amount END,
                      CASE t.metric_key WHEN 2 THEN t.amount / 1000000 END, NULL)::api_internal.bucket_row)
      INTO totals
      FROM api_internal.counted_totals(wanted_user, '{2,3}', bounds_start, bounds_end, wanted_device) AS t
     WHERE date_trunc(unit, t.ts AT TIME ZONE zone) = date_trunc(unit, (t.ends_at - INTERVAL '1 microsecond') AT TIME ZONE zone);
    IF totals IS NOT NULL THEN
      sources := array_append(sources, 'daily_total');
      source := '(SELECT * FROM api_internal.rows($3, $4, $5) UNION ALL SELECT * FROM unnest($6))';
    END IF;
  END IF;
  IF fill AND (extract(epoch FROM range_end) - extract(epoch FROM range_start)) / extract(epoch FROM width) > 100000 THEN
    RAISE EXCEPTION 'the range has more than 100000 buckets of %', bucket_used
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Ask for a shorter range, a coarser bucket, or without filling.';
  END IF;
  RETURN QUERY EXECUTE
    'SELECT t, coalesce(g.heart_rate_count, 0), api_internal.from_micro(g.heart_rate_sum, nullif(g.heart_rate_count, 0)),
            g.heart_rate_min, g.heart_rate_max, d.device_id, g.steps, api_internal.from_micro(g.calories), $1, $2
       FROM (SELECT ' || start || ' AS t, g.*
               FROM (SELECT ' || label || ' AS label, api_internal.total(heart_rate_count) AS heart_rate_count,
                    api_internal.total(heart_rate_sum) AS heart_rate_sum, min(heart_rate_min) AS heart_rate_min,
                    max(heart_rate_max) AS heart_rate_max, api_internal.total(steps) AS steps,
                    api_internal.total(calories) AS calories,
                    CASE WHEN min(heart_rate_device) = max(heart_rate_device) THEN min(heart_rate_device) END AS device_key
                      FROM ' || source || ' AS r GROUP BY 1) AS g) AS g
       ' || CASE WHEN fill THEN 'FULL JOIN (' || labels || ') AS l (t) USING (t)' ELSE '' END || '
       LEFT JOIN core.device AS d USING (device_key)
      ORDER BY t' USING bucket_used, sources, wanted_user, wanted_device, parts, totals;
END
$$;

COMMENT ON FUNCTION api.series IS
  'A user''s readings in range_start <= t < range_end by bucket, ascending, exact at every moment: the buckets with a reading, or with fill all buckets of the range; raw returns each reading of every device. Days, weeks (from Monday) and months are local to tz, a name that api.time_zone resolves. heart_rate_device is set where a single device gave all heart rates of a bucket. bucket_used is the bucket that auto chose, sources the resolutions that answered, and daily_total where days, weeks or months have one that counts.';
