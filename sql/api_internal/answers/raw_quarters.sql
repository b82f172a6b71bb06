-- What the rollups do not answer for, by quarter of an hour.
CREATE VIEW api_internal.raw_quarters AS
  SELECT m.user_key,
         public.time_bucket(INTERVAL '15 minutes', m.bucket) AS bucket,
         min(m.first_ts) AS first_ts,
         max(m.last_ts) AS last_ts,
         sum(m.heart_rate_sum)::bigint AS heart_rate_sum,
         sum(m.heart_rate_count)::int AS heart_rate_count,
         min(m.heart_rate_min) AS heart_rate_min,
         max(m.heart_rate_max) AS heart_rate_max,
         sum(m.calories)::bigint AS calories,
         sum(m.steps)::bigint AS steps,
         CASE WHEN min(m.heart_rate_device) = max(m.heart_rate_device) THEN min(m.heart_rate_device)
              WHEN min(m.heart_rate_device) IS NOT NULL THEN 0 END AS heart_rate_device,
         (count(*) FILTER (WHERE m.heart_rate_count > 0))::smallint AS worn_minutes
    FROM api_internal.raw_minutes AS m
   GROUP BY 1, 2;

COMMENT ON VIEW api_internal.raw_quarters IS
  'The quarters of an hour that the views api.vitals take from raw readings instead of rollups, by user key, with the columns of rollup.user_15m.';
