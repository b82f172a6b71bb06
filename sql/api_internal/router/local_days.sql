-- Local days, added up from buckets of four hours, and from finer ones where midnight or an end of the part cuts.
CREATE FUNCTION api_internal.local_days(user_key int, part api_internal.part)
RETURNS SETOF api_internal.bucket_row
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_bitmapscan = off
-- A plan for any part underestimates its rows, and would sort them.
SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
  blocks_from CONSTANT timestamptz := public.time_bucket(INTERVAL '4 hours', part.part_start + INTERVAL '239 minutes');
  blocks_to   CONSTANT timestamptz := public.time_bucket(INTERVAL '4 hours', part.part_end);
  cut_block   CONSTANT timestamptz := public.time_bucket(INTERVAL '4 hours', part.midnight);
  hours_from  CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', part.part_start + INTERVAL '59 minutes');
  hours_to    CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', part.part_end);
  cut_hour    CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', part.midnight);
  -- The hours of cut blocks of four, and the quarters of cut hours: listed, so that one index scan finds those of a year. What is
  -- listed twice is found once.
  hours CONSTANT timestamptz[] := (
    SELECT array_agg(h.hour)
      FROM (SELECT public.time_bucket(INTERVAL '4 hours', part.part_start)
             WHERE blocks_from > part.part_start
            UNION ALL
            SELECT generate_series(public.time_bucket(INTERVAL '24 hours', part.part_start, cut_block), part.part_end,
                                   INTERVAL '24 hours')
             WHERE cut_block <> part.midnight
            UNION ALL
            SELECT blocks_to) AS b (block)
     CROSS JOIN unnest('{0 hours,1 hour,2 hours,3 hours}'::interval[]) AS k (step)
     CROSS JOIN LATERAL (VALUES (b.block + k.step)) AS h (hour)
     WHERE h.hour >= hours_from AND h.hour < hours_to
       AND (cut_hour = part.midnight OR h.hour <> public.time_bucket(INTERVAL '24 hours', h.hour, cut_hour)));
  quarters CONSTANT timestamptz[] := (
    SELECT array_agg(q.quarter)
      FROM (SELECT public.time_bucket(INTERVAL '1 hour', part.part_start)
             WHERE hours_from > part.part_start
            UNION ALL
            SELECT generate_series(public.time_bucket(INTERVAL '24 hours', part.part_start, cut_hour), part.part_end,
                                   INTERVAL '24 hours')
             WHERE cut_hour <> part.midnight
            UNION ALL
            SELECT hours_to) AS c (hour)
     CROSS JOIN unnest('{0 minutes,15 minutes,30 minutes,45 minutes}'::interval[]) AS k (step)
     CROSS JOIN LATERAL (VALUES (c.hour + k.step)) AS q (quarter)
     WHERE q.quarter >= part.part_start AND q.quarter < part.part_end);
BEGIN
  RETURN QUERY
    -- A column costs as much as reading its row, and callers of local days need neither first_ts nor last_ts.
    SELECT public.time_bucket(INTERVAL '24 hours', r.bucket, part.midnight), NULL::timestamptz, NULL::timestamptz,
           api_internal.total(r.heart_rate_sum), sum(r.heart_rate_count), min(r.heart_rate_min), max(r.heart_rate_max),
           api_internal.total(r.calories), api_internal.total(r.steps),
           CASE WHEN min(r.heart_rate_device) = max(r.heart_rate_device) THEN min(r.heart_rate_device)
                WHEN min(r.heart_rate_device) IS NOT NULL THEN 0 END
      FROM (SELECT r.bucket, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min, r.heart_rate_max, r.calories, r.steps,
                   r.heart_rate_device
              FROM rollup.user_4h AS r
             WHERE r.user_key = local_days.user_key AND r.bucket >= blocks_from AND r.bucket < blocks_to
               AND (cut_block = part.midnight OR r.bucket <> public.time_bucket(INTERVAL '24 hours', r.bucket, cut_block))
            UNION ALL
            SELECT r.bucket, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min, r.heart_rate_max, r.calories, r.steps,
                   r.heart_rate_device
              FROM rollup.user_1h AS r
             WHERE r.user_key = local_days.user_key AND r.bucket = ANY (hours)
            UNION ALL
            SELECT r.bucket, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min, r.heart_rate_max, r.calories, r.steps,
                   r.heart_rate_device
              FROM rollup.user_15m AS r
             WHERE r.user_key = local_days.user_key AND r.bucket = ANY (quarters)) AS r
     GROUP BY 1;
END
$$;

COMMENT ON FUNCTION api_internal.local_days IS
  'A part of a user''s range, of source 1h or 15m, by local days that begin every 24 hours from the part''s midnight: rows by midnight, without first_ts and last_ts, added up from buckets of four hours, and of an hour and a quarter where midnight or an end of the part cuts.';
