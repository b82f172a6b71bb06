-- The rows of every part of a range.
CREATE FUNCTION api.rows(user_key int, device_key int, parts api.part[])
RETURNS TABLE (
  bucket            timestamptz,
  first_ts          timestamptz,
  last_ts           timestamptz,
  heart_rate_sum    bigint,
  heart_rate_count  bigint,
  heart_rate_min    double precision,
  heart_rate_max    double precision,
  calories          bigint,
  steps             bigint,
  heart_rate_device int
)
LANGUAGE plpgsql STABLE
-- Rollups with few chunks are planned once in a session: planning costs more than reading a user's rows.
SET plan_cache_mode = force_generic_plan
SET datestyle = 'ISO'
AS $$
#variable_conflict use_column
DECLARE
  wanted_user   CONSTANT int := user_key;
  wanted_device CONSTANT int := device_key;
  part       api.part;
  hours_from timestamptz;
  hours_to   timestamptz;
  cut_hour   timestamptz;
BEGIN
  FOREACH part IN ARRAY coalesce(parts, '{}') LOOP
    IF part.source = 'raw' THEN
      RETURN QUERY SELECT * FROM api.minutes(wanted_user, part.part_start, part.part_end, wanted_device);
    ELSIF part.source = '1m' THEN
      -- Many chunks: with literal bounds they are excluded when the query is planned.
      RETURN QUERY EXECUTE format(
        'SELECT bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min, heart_rate_max, calories, '
        'steps, %s FROM rollup.%I WHERE user_key = %L AND bucket >= %L AND bucket < %L%s%s',
        CASE WHEN wanted_device IS NULL THEN 'heart_rate_device'
             ELSE 'CASE WHEN heart_rate_count > 0 THEN device_key END' END,
        CASE WHEN wanted_device IS NULL THEN 'user_1m' ELSE 'device_1m' END,
        wanted_user, part.part_start, part.part_end,
        CASE WHEN wanted_device IS NULL THEN '' ELSE format(' AND device_key = %L', wanted_device) END,
        CASE WHEN part.stale_days IS NULL THEN ''
             ELSE format(' AND public.time_bucket(INTERVAL ''24 hours'', bucket) <> ALL (%L::timestamptz[])',
                         part.stale_days) END);
    ELSIF part.source IN ('1h', '15m') AND part.midnight IS NOT NULL THEN
      -- Local days added up from the hours, but for an hour that a local midnight or an end of the part cuts.
      hours_from := public.time_bucket(INTERVAL '1 hour', part.part_start + INTERVAL '59 minutes');
      hours_to := public.time_bucket(INTERVAL '1 hour', part.part_end);
      cut_hour := public.time_bucket(INTERVAL '1 hour', part.midnight);
      RETURN QUERY
        -- Each column costs as much as reading its row: who asks for local days needs no first and last reading.
        SELECT public.time_bucket(INTERVAL '24 hours', r.bucket, part.midnight), NULL::timestamptz, NULL::timestamptz,
               sum(r.heart_rate_sum)::bigint, sum(r.heart_rate_count::int), min(r.heart_rate_min), max(r.heart_rate_max),
               sum(r.calories)::bigint, sum(r.steps)::bigint,
               CASE WHEN min(r.heart_rate_device) = max(r.heart_rate_device) THEN min(r.heart_rate_device)
                    WHEN min(r.heart_rate_device) IS NOT NULL THEN 0 END
          FROM rollup.user_1h AS r
         WHERE r.user_key = wanted_user AND r.bucket >= hours_from AND r.bucket < hours_to
           AND (cut_hour = part.midnight OR r.bucket <> public.time_bucket(INTERVAL '24 hours', r.bucket, cut_hour))
           AND (part.stale_days IS NULL OR public.time_bucket(INTERVAL '24 hours', r.bucket) <> ALL (part.stale_days))
         GROUP BY 1;
      CONTINUE WHEN part.source = '1h';
      RETURN QUERY
        SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
               r.heart_rate_max, r.calories, r.steps, r.heart_rate_device
          FROM rollup.user_15m AS r
         WHERE r.user_key = wanted_user AND r.bucket >= part.part_start AND r.bucket < part.part_end
           AND extract(hour FROM r.bucket AT TIME ZONE 'UTC')::int = extract(hour FROM cut_hour AT TIME ZONE 'UTC')::int
           AND cut_hour <> part.midnight
           AND (part.stale_days IS NULL OR public.time_bucket(INTERVAL '24 hours', r.bucket) <> ALL (part.stale_days));
      RETURN QUERY
        SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
               r.heart_rate_max, r.calories, r.steps, r.heart_rate_device
          FROM (VALUES (part.part_start, least(hours_from, part.part_end)),
                       (greatest(hours_from, hours_to), part.part_end)) AS e (end_from, end_to)
          JOIN rollup.user_15m AS r ON r.user_key = wanted_user AND r.bucket >= e.end_from AND r.bucket < e.end_to
         WHERE (cut_hour = part.midnight OR public.time_bucket(INTERVAL '1 hour', r.bucket)
                                            <> public.time_bucket(INTERVAL '24 hours', r.bucket, cut_hour))
           AND (part.stale_days IS NULL OR public.time_bucket(INTERVAL '24 hours', r.bucket) <> ALL (part.stale_days));
    ELSIF part.source = '15m' THEN
      RETURN QUERY
        SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
               r.heart_rate_max, r.calories, r.steps, r.heart_rate_device
          FROM rollup.user_15m AS r
         WHERE r.user_key = wanted_user AND r.bucket >= part.part_start AND r.bucket < part.part_end
           AND (part.stale_days IS NULL OR public.time_bucket(INTERVAL '24 hours', r.bucket) <> ALL (part.stale_days));
    ELSIF part.source = '1h' THEN
      RETURN QUERY
        SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
               r.heart_rate_max, r.calories, r.steps, r.heart_rate_device
          FROM rollup.user_1h AS r
         WHERE r.user_key = wanted_user AND r.bucket >= part.part_start AND r.bucket < part.part_end
           AND (part.stale_days IS NULL OR public.time_bucket(INTERVAL '24 hours', r.bucket) <> ALL (part.stale_days));
    ELSIF part.source = '1d' THEN
      RETURN QUERY
        SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
               r.heart_rate_max, r.calories, r.steps, r.heart_rate_device
          FROM rollup.user_1d AS r
         WHERE r.user_key = wanted_user AND r.bucket >= part.part_start AND r.bucket < part.part_end
           AND (part.stale_days IS NULL OR public.time_bucket(INTERVAL '24 hours', r.bucket) <> ALL (part.stale_days));
    END IF;
  END LOOP;
END
$$;

COMMENT ON FUNCTION api.rows IS
  'The rows of any resolution that together are a user''s readings in the parts given; a device_key asks for that device alone. Where a part names a midnight, its rows may be those of local days, by their midnight, without first_ts and last_ts.';
