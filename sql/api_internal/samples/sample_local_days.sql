-- A user's samples by local day: from hours, and from quarters of an hour where midnight or an end of the part cuts one.
CREATE FUNCTION api_internal.sample_local_days(user_key int, metric_keys int[], part api_internal.part)
RETURNS SETOF api_internal.sample_row
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_bitmapscan = off
-- A plan for any part underestimates its rows, and would sort them.
SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
  hours_from CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', part.part_start + INTERVAL '59 minutes');
  hours_to   CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', part.part_end);
  cut_hour   CONSTANT timestamptz := public.time_bucket(INTERVAL '1 hour', part.midnight);
  -- The quarters of cut hours: listed, so that one index scan finds those of a year. What is listed twice is found once.
  quarters CONSTANT timestamptz[] := (
    SELECT array_agg(q.quarter)
      FROM (SELECT public.time_bucket(INTERVAL '1 hour', part.part_start)
             WHERE hours_from > part.part_start
            UNION ALL
            SELECT generate_series(public.time_bucket(INTERVAL '24 hours', part.part_start, cut_hour), part.part_end, INTERVAL '24 hours')
             WHERE cut_hour <> part.midnight
            UNION ALL
            SELECT hours_to) AS c (hour)
     CROSS JOIN unnest('{0 minutes,15 minutes,30 minutes,45 minutes}'::interval[]) AS k (step)
     CROSS JOIN LATERAL (VALUES (c.hour + k.step)) AS q (quarter)
     WHERE q.quarter >= part.part_start AND q.quarter < part.part_end);
BEGIN
  RETURN QUERY
    SELECT m.metric_key, d.*
      FROM unnest(metric_keys) AS m (metric_key)
     CROSS JOIN LATERAL (
       SELECT CASE WHEN count(r.best_device) = count(*) AND min(r.best_device) = max(r.best_device) THEN min(r.best_device) END,
              public.time_bucket(INTERVAL '24 hours', r.bucket, part.midnight), sum(r.samples), sum(r.total), min(r.lowest), max(r.highest),
              min(r.first_ts), max(r.last_ts), public.last(r.last_value, r.last_ts)
         FROM (SELECT r.bucket, r.first_ts, r.last_ts, r.lowest, r.highest, r.last_value, r.samples, r.best_device, r.total
                 FROM rollup.sample_1h AS r
                WHERE r.user_key = sample_local_days.user_key AND r.metric_key = m.metric_key AND r.bucket >= hours_from AND r.bucket < hours_to
                  AND (cut_hour = part.midnight OR r.bucket <> public.time_bucket(INTERVAL '24 hours', r.bucket, cut_hour))
               UNION ALL
               SELECT r.bucket, r.first_ts, r.last_ts, r.lowest, r.highest, r.last_value, r.samples, r.best_device, r.total
                 FROM rollup.sample_15m AS r
                WHERE r.user_key = sample_local_days.user_key AND r.metric_key = m.metric_key AND r.bucket = ANY (quarters)) AS r
        GROUP BY 2) AS d;
END
$$;

COMMENT ON FUNCTION api_internal.sample_local_days IS
  'A part of a user''s range, of source 1h or 15m, by local days that begin every 24 hours from the part''s midnight: rows by midnight, added up from hours, and from quarters of an hour where midnight or an end of the part cuts one.';
