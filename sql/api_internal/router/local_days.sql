-- Local days, added up from buckets of four hours, and from finer ones where midnight or an end of the part cuts.
CREATE FUNCTION api_internal.local_days(user_key int, part api_internal.part)
RETURNS SETOF api_internal.bucket_row
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
  blocks_from CONSTANT timestamptz := public.time_bucket(INTERVAL '4 hours', part.part_start + INTERVAL '239 minutes');
  blocks_to   CONSTANT timestamptz := public.time_bucket(INTERVAL '4 hours', part.part_end);
  cut_block   CONSTANT timestamptz := public.time_bucket(INTERVAL '4 hours', part.midnight);
  hours_from  CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', part.part_start + INTERVAL '59 minutes');
  hours_to    CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', part.part_end);
  cut_hour    CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', part.midnight);
  -- The hours of cut blocks of four, and the quarters of cut hours: listed, so that one index scan finds those of a year.
  hours CONSTANT timestamptz[] := (
    SELECT array_agg(h.hour ORDER BY h.hour)
      FROM (SELECT public.time_bucket(INTERVAL '4 hours', part.part_start)
             WHERE blocks_from > part.part_start
            UNION
            SELECT blocks_to
            UNION
            SELECT generate_series(public.time_bucket(INTERVAL '24 hours', part.part_start, cut_block), part.part_end,
                                   INTERVAL '24 hours')
             WHERE cut_block <> part.midnight) AS b (block)
     CROSS JOIN LATERAL generate_series(b.block, b.block + INTERVAL '3 hours', INTERVAL '1 hour') AS h (hour)
     WHERE h.hour >= hours_from AND h.hour < hours_to
       AND (cut_hour = part.midnight OR h.hour <> public.time_bucket(INTERVAL '24 hours', h.hour, cut_hour)));
  quarters CONSTANT timestamptz[] := (
    SELECT array_agg(q.quarter ORDER BY q.quarter)
      FROM (SELECT public.time_bucket(INTERVAL '1 hour', part.part_start)
             WHERE hours_from > part.part_start
            UNION
            SELECT hours_to
            UNION
            SELECT generate_series(public.time_bucket(INTERVAL '24 hours', part.part_start, cut_hour), part.part_end,
                                   INTERVAL '24 hours')
             WHERE cut_hour <> part.midnight) AS c (hour)
     CROSS JOIN LATERAL generate_series(c.hour, c.hour + INTERVAL '45 minutes', INTERVAL '15 minutes') AS q (quarter)
     WHERE q.quarter >= part.part_start AND q.quarter < part.part_end);
BEGIN
  RETURN QUERY
    -- A column costs as much as reading its row, and callers of local days need neither first_ts nor last_ts.
    SELECT public.time_bucket(INTERVAL '24 hours', r.bucket, part.midnight), NULL::timestamptz, NULL::timestamptz,
           sum(r.heart_rate_sum)::bigint, sum(r.heart_rate_count), min(r.heart_rate_min), max(r.heart_rate_max),
           sum(r.calories)::bigint, sum(r.steps)::bigint,
           CASE WHEN min(r.heart_rate_device) = max(r.heart_rate_device) THEN min(r.heart_rate_device)
                WHEN min(r.heart_rate_device) IS NOT NULL THEN 0 END
      FROM rollup.user_4h AS r
     WHERE r.user_key = local_days.user_key AND r.bucket >= blocks_from AND r.bucket < blocks_to
       AND (cut_block = part.midnight OR r.bucket <> public.time_bucket(INTERVAL '24 hours', r.bucket, cut_block))
     GROUP BY 1;
  IF hours IS NOT NULL THEN
    RETURN QUERY
      SELECT public.time_bucket(INTERVAL '24 hours', r.bucket, part.midnight), NULL::timestamptz, NULL::timestamptz,
             sum(r.heart_rate_sum)::bigint, sum(r.heart_rate_count), min(r.heart_rate_min), max(r.heart_rate_max),
             sum(r.calories)::bigint, sum(r.steps)::bigint,
             CASE WHEN min(r.heart_rate_device) = max(r.heart_rate_device) THEN min(r.heart_rate_device)
                  WHEN min(r.heart_rate_device) IS NOT NULL THEN 0 END
        FROM rollup.user_1h AS r
       WHERE r.user_key = local_days.user_key AND r.bucket = ANY (hours)
       GROUP BY 1;
  END IF;
  IF quarters IS NOT NULL THEN
    RETURN QUERY
      SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count::bigint, r.heart_rate_min,
             r.heart_rate_max, r.calories, r.steps, r.heart_rate_device
        FROM rollup.user_15m AS r
       WHERE r.user_key = local_days.user_key AND r.bucket = ANY (quarters);
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.local_days IS
  'A part of a user''s range, of source 1h or 15m, by local days that begin every 24 hours from the part''s midnight: rows by midnight, added up from buckets of four hours and of one hour, without first_ts and last_ts, and rows by quarter of an hour for hours that midnight or an end of the part cuts.';
