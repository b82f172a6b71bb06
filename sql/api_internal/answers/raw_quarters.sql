-- Quarters of an hour that no rollup answers for.
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
   GROUP BY 1, 2
  UNION ALL
  -- Stale quarters, looked up for each user with literal bounds.
  SELECT s.user_key, q.bucket, q.first_ts, q.last_ts, q.heart_rate_sum, q.heart_rate_count, q.heart_rate_min, q.heart_rate_max,
         q.calories, q.steps, q.heart_rate_device, q.worn_minutes
    FROM (SELECT s.user_key, array_agg(s.user_key) AS user_keys, array_agg(s.bucket) AS buckets
            FROM api_internal.stale_quarters AS s
           GROUP BY 1) AS s
   CROSS JOIN LATERAL api_internal.raw_quarters_of(s.user_keys[:1], 'infinity', '-infinity', s.user_keys, s.buckets) AS q
  UNION ALL
  -- Time since the horizon beyond 47 hours, if no refresh has run for that long.
  SELECT u.user_key, q.bucket, q.first_ts, q.last_ts, q.heart_rate_sum, q.heart_rate_count, q.heart_rate_min, q.heart_rate_max,
         q.calories, q.steps, q.heart_rate_device, q.worn_minutes
    FROM core.horizon AS h
   CROSS JOIN LATERAL (SELECT public.time_bucket(INTERVAL '15 minutes', now() - INTERVAL '47 hours')) AS n (recent_from)
    JOIN core.app_user AS u ON h.materialized < n.recent_from AND NOT EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = u.user_key AND i.kind < 2 AND i.metric_key < 4)
   CROSS JOIN LATERAL api_internal.raw_quarters_of(ARRAY[u.user_key], h.materialized, n.recent_from, NULL, NULL) AS q
  UNION ALL
  -- Time since the horizon of users with intervals, minute by minute.
  SELECT u.user_key, q.bucket, q.first_ts, q.last_ts, q.heart_rate_sum, q.heart_rate_count, q.heart_rate_min, q.heart_rate_max,
         q.calories, q.steps, q.heart_rate_device, q.worn_minutes
    FROM (SELECT DISTINCT s.user_key FROM core.interval_series AS s WHERE s.kind < 2 AND s.metric_key < 4) AS u
   CROSS JOIN core.horizon AS h
   CROSS JOIN LATERAL api_internal.raw_quarters_of(ARRAY[u.user_key], h.materialized, 'infinity', NULL, NULL) AS q;

COMMENT ON VIEW api_internal.raw_quarters IS
  'The quarters of an hour that the api.vitals views read from raw readings instead of rollups, by user key, with the columns of rollup.user_15m.';
