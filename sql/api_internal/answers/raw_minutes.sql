-- Minutes above the horizon, from raw readings, as long as the horizon is kept up to date.
CREATE VIEW api_internal.raw_minutes AS
  WITH by_device AS (
    SELECT r.user_key, r.device_key, public.time_bucket(INTERVAL '1 minute', r.bucket) AS bucket,
           min(r.first_ts) AS first_ts,
           max(r.last_ts) AS last_ts,
           sum(r.heart_rate_sum)::bigint AS heart_rate_sum,
           sum(r.heart_rate_count) AS heart_rate_count,
           min(r.heart_rate_min) AS heart_rate_min,
           max(r.heart_rate_max) AS heart_rate_max,
           sum(r.calories)::bigint AS calories,
           sum(r.steps)::bigint AS steps
      FROM api_internal.reading_rows AS r
     WHERE r.bucket >= (SELECT greatest(h.materialized, public.time_bucket(INTERVAL '15 minutes', now() - INTERVAL '47 hours'))
                          FROM core.horizon AS h)
       -- Known at planning, so that years of chunks are excluded from the plan.
       AND r.bucket >= now() - INTERVAL '48 hours'
       AND NOT EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = r.user_key AND i.kind < 2 AND i.metric_key < 4)
     GROUP BY 1, 2, 3
  ), ranked AS (
    SELECT b.*, d.heart_rate_rank, d.steps_rank, d.calories_rank
      FROM by_device AS b
      JOIN core.device AS d USING (device_key)
  )
  SELECT r.user_key,
         r.bucket,
         min(r.first_ts) AS first_ts,
         max(r.last_ts) AS last_ts,
         public.first(r.heart_rate_sum, r.heart_rate_rank) FILTER (WHERE r.heart_rate_count > 0) AS heart_rate_sum,
         coalesce(public.first(r.heart_rate_count, r.heart_rate_rank) FILTER (WHERE r.heart_rate_count > 0), 0) AS heart_rate_count,
         public.first(r.heart_rate_min, r.heart_rate_rank) FILTER (WHERE r.heart_rate_count > 0) AS heart_rate_min,
         public.first(r.heart_rate_max, r.heart_rate_rank) FILTER (WHERE r.heart_rate_count > 0) AS heart_rate_max,
         public.first(r.calories, r.calories_rank) FILTER (WHERE r.calories IS NOT NULL) AS calories,
         public.first(r.steps, r.steps_rank) FILTER (WHERE r.steps IS NOT NULL) AS steps,
         public.first(r.device_key, r.heart_rate_rank) FILTER (WHERE r.heart_rate_count > 0) AS heart_rate_device
    FROM ranked AS r
   GROUP BY r.user_key, r.bucket;

COMMENT ON VIEW api_internal.raw_minutes IS
  'Minutes above the horizon within the last 47 hours, rounded down to a quarter of an hour, from raw readings, by user key, of users without intervals; a part of api_internal.raw_quarters, not meant to be read by itself.';
