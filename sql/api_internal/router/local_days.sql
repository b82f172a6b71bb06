-- Local days, added up from hours but for those that a local midnight or an end of the part cuts.
CREATE FUNCTION api_internal.local_days(user_key int, part api_internal.part)
RETURNS SETOF api_internal.bucket_row
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
  hours_from CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', part.part_start + INTERVAL '59 minutes');
  hours_to   CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', part.part_end);
  cut_hour   CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', part.midnight);
  -- The quarters of the hours that midnights cut: by name, so that one look into the index finds those of a year.
  cut_quarters CONSTANT timestamptz[] := (
    SELECT array_agg(c.hour + q * INTERVAL '15 minutes')
      FROM generate_series(public.time_bucket(INTERVAL '24 hours', part.part_start, cut_hour), part.part_end,
                           INTERVAL '24 hours') AS c (hour)
     CROSS JOIN generate_series(0, 3) AS q
     WHERE c.hour + q * INTERVAL '15 minutes' >= part.part_start AND c.hour + q * INTERVAL '15 minutes' < part.part_end
       AND cut_hour <> part.midnight);
BEGIN
  RETURN QUERY
    -- Each column costs as much as reading its row: who asks for local days needs no first and last reading.
    SELECT public.time_bucket(INTERVAL '24 hours', r.bucket, part.midnight), NULL::timestamptz, NULL::timestamptz,
           sum(r.heart_rate_sum)::bigint, sum(r.heart_rate_count), min(r.heart_rate_min), max(r.heart_rate_max),
           sum(r.calories)::bigint, sum(r.steps)::bigint,
           CASE WHEN min(r.heart_rate_device) = max(r.heart_rate_device) THEN min(r.heart_rate_device)
                WHEN min(r.heart_rate_device) IS NOT NULL THEN 0 END
      FROM rollup.user_1h AS r
     WHERE r.user_key = local_days.user_key AND r.bucket >= hours_from AND r.bucket < hours_to
       AND (cut_hour = part.midnight OR r.bucket <> public.time_bucket(INTERVAL '24 hours', r.bucket, cut_hour))
     GROUP BY 1;
  IF part.source = '1h' THEN
    RETURN;
  END IF;
  RETURN QUERY
    SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count::bigint, r.heart_rate_min,
           r.heart_rate_max, r.calories, r.steps, r.heart_rate_device
      FROM rollup.user_15m AS r
     WHERE r.user_key = local_days.user_key AND r.bucket = ANY (cut_quarters);
  RETURN QUERY
    SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count::bigint, r.heart_rate_min,
           r.heart_rate_max, r.calories, r.steps, r.heart_rate_device
      FROM (VALUES (part.part_start, least(hours_from, part.part_end)),
                   (greatest(hours_from, hours_to), part.part_end)) AS e (end_from, end_to)
     -- Each end is looked up in the index by itself: a plan that is kept would read everybody's quarters. OFFSET prevents it.
     CROSS JOIN LATERAL (SELECT r.* FROM rollup.user_15m AS r
                          WHERE r.user_key = local_days.user_key AND r.bucket >= e.end_from AND r.bucket < e.end_to OFFSET 0) AS r
     WHERE (cut_hour = part.midnight OR public.time_bucket(INTERVAL '1 hour', r.bucket)
                                        <> public.time_bucket(INTERVAL '24 hours', r.bucket, cut_hour));
END
$$;

COMMENT ON FUNCTION api_internal.local_days IS
  'A part of a user''s range, of source 1h or 15m, by local days that begin every 24 hours from its midnight: the hours added up, by midnight and without first_ts and last_ts, and beside them, by quarter of an hour, those that an end of the part or a midnight cuts.';
