-- Chooses between devices: each minute and metric takes the values of the best device that reported it.
CREATE FUNCTION api_internal.minutes(user_key int, ranges tstzmultirange, device_key int DEFAULT NULL, with_intervals boolean DEFAULT NULL)
RETURNS SETOF api_internal.bucket_row
LANGUAGE plpgsql STABLE
-- Planned once. The part that needs literal bounds is in api_internal.device_minutes.
SET plan_cache_mode = force_generic_plan
-- The states of public.first for a day of minutes take more memory than work_mem has by default, and would go to disk.
SET work_mem = '64MB'
AS $$
#variable_conflict use_column
BEGIN
  IF coalesce(minutes.with_intervals, EXISTS (SELECT FROM core.interval_series AS i
                                              WHERE i.user_key = minutes.user_key AND i.kind < 2 AND i.metric_key < 4)) THEN
    RETURN QUERY SELECT * FROM api_internal.minutes_with_intervals(minutes.user_key, minutes.ranges, minutes.device_key);
    RETURN;
  END IF;
  RETURN QUERY
  WITH by_device AS (
    SELECT public.time_bucket(INTERVAL '1 minute', r.bucket) AS bucket,
           r.device_key,
           min(r.first_ts) AS first_ts,
           max(r.last_ts) AS last_ts,
           api_internal.total(r.heart_rate_sum) AS heart_rate_sum,
           sum(r.heart_rate_count) AS heart_rate_count,
           min(r.heart_rate_min) AS heart_rate_min,
           max(r.heart_rate_max) AS heart_rate_max,
           api_internal.total(r.calories) AS calories,
           api_internal.total(r.steps) AS steps
      FROM api_internal.device_minutes(minutes.user_key, minutes.ranges, minutes.device_key) AS r
     GROUP BY 1, 2
  ), ranked AS (
    -- The smallest priority wins, then the device registered first.
    SELECT b.*, d.heart_rate_rank, d.steps_rank, d.calories_rank
      FROM by_device AS b
      JOIN core.device AS d USING (device_key)
  )
  SELECT ranked.bucket,
         min(ranked.first_ts),
         max(last_ts),
         public.first(heart_rate_sum, heart_rate_rank) FILTER (WHERE heart_rate_count > 0),
         coalesce(public.first(heart_rate_count, heart_rate_rank) FILTER (WHERE heart_rate_count > 0), 0),
         public.first(heart_rate_min, heart_rate_rank) FILTER (WHERE heart_rate_count > 0),
         public.first(heart_rate_max, heart_rate_rank) FILTER (WHERE heart_rate_count > 0),
         public.first(calories, calories_rank) FILTER (WHERE calories IS NOT NULL),
         public.first(steps, steps_rank) FILTER (WHERE steps IS NOT NULL),
         public.first(ranked.device_key, heart_rate_rank) FILTER (WHERE heart_rate_count > 0)
    FROM ranked
   GROUP BY ranked.bucket;
END
$$;

COMMENT ON FUNCTION api_internal.minutes IS
  'A user''s minutes in half-open ranges, from raw readings and intervals. For each metric only the best device counts: the smallest priority, then the one registered first; readings outside the ranges are ignored, but for hours that intervals touch, see api_internal.counted_minutes. Sums of heart rate (beats per minute) and calories (kilocalories) are in whole millionths; null means not measured. A device_key selects one device. with_intervals tells whether the user has intervals, where that is known.';
