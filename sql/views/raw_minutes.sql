-- What the rollups do not answer for: everything since the midnight before the horizon, and stale days, from raw readings.
CREATE VIEW api.raw_minutes AS
  WITH by_device AS (
    SELECT r.user_key, r.device_key, public.time_bucket(INTERVAL '1 minute', r.ts) AS bucket,
           min(r.ts) AS first_ts,
           max(r.ts) AS last_ts,
           sum(round(r.heart_rate * 1e6)::bigint)::bigint AS heart_rate_sum,
           count(r.heart_rate) AS heart_rate_count,
           min(r.heart_rate) AS heart_rate_min,
           max(r.heart_rate) AS heart_rate_max,
           sum(round(r.calories * 1e6)::bigint)::bigint AS calories,
           sum(r.steps) AS steps
      FROM core.reading AS r
     WHERE r.ts >= (SELECT public.time_bucket(INTERVAL '24 hours', materialized) FROM core.horizon)
     GROUP BY 1, 2, 3
    UNION ALL
    SELECT r.user_key, r.device_key, public.time_bucket(INTERVAL '1 minute', r.ts),
           min(r.ts), max(r.ts),
           sum(round(r.heart_rate * 1e6)::bigint)::bigint, count(r.heart_rate), min(r.heart_rate), max(r.heart_rate),
           sum(round(r.calories * 1e6)::bigint)::bigint, sum(r.steps)
      FROM core.stale_day AS s
      JOIN core.reading AS r ON r.user_key = s.user_key AND r.ts >= s.day AND r.ts < s.day + INTERVAL '24 hours'
     WHERE s.day < (SELECT public.time_bucket(INTERVAL '24 hours', materialized) FROM core.horizon)
     GROUP BY 1, 2, 3
  ), ranked AS (
    SELECT b.*, (d.priority::bigint << 32) + d.device_key AS rank
      FROM by_device AS b
      JOIN core.device AS d USING (device_key)
  )
  SELECT user_key,
         bucket,
         min(first_ts) AS first_ts,
         max(last_ts) AS last_ts,
         public.first(heart_rate_sum, rank) FILTER (WHERE heart_rate_count > 0) AS heart_rate_sum,
         coalesce(public.first(heart_rate_count, rank) FILTER (WHERE heart_rate_count > 0), 0) AS heart_rate_count,
         public.first(heart_rate_min, rank) FILTER (WHERE heart_rate_count > 0) AS heart_rate_min,
         public.first(heart_rate_max, rank) FILTER (WHERE heart_rate_count > 0) AS heart_rate_max,
         public.first(calories, rank) FILTER (WHERE calories IS NOT NULL) AS calories,
         public.first(steps, rank) FILTER (WHERE steps IS NOT NULL) AS steps,
         public.first(device_key, rank) FILTER (WHERE heart_rate_count > 0) AS heart_rate_device
    FROM ranked
   GROUP BY user_key, bucket;

COMMENT ON VIEW api.raw_minutes IS
  'The minutes that the views api.vitals take from raw readings instead of rollups, by user key; a part of them rather than a view to read.';
