-- Every user by hour, exact at every moment: rollups, but raw readings above the horizon and for stale quarters of an hour.
CREATE VIEW api.vitals_1h AS
  SELECT t.tenant_id,
         u.user_id,
         v.bucket,
         v.heart_rate_count,
         v.heart_rate_sum / (nullif(v.heart_rate_count, 0) * 1e6::double precision) AS heart_rate_avg,
         v.heart_rate_min,
         v.heart_rate_max,
         d.device_id AS heart_rate_device,
         v.steps,
         v.calories / 1e6::double precision AS calories,
         v.first_ts,
         v.last_ts
    FROM core.tenant AS t
    JOIN core.app_user AS u ON u.tenant_key = t.tenant_key
   -- For each user by itself, so that a question about one costs what that one's readings cost.
   CROSS JOIN LATERAL (
      SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
             r.heart_rate_max, r.calories, r.steps, r.heart_rate_device
        FROM rollup.user_1h AS r
       WHERE r.user_key = u.user_key
         AND r.bucket < (SELECT public.time_bucket(INTERVAL '1 hour', materialized) FROM core.horizon)
         AND NOT EXISTS (SELECT FROM api_internal.stale_quarters AS s
                          WHERE s.user_key = u.user_key AND public.time_bucket(INTERVAL '1 hour', s.bucket) = r.bucket)
      UNION ALL
      SELECT public.time_bucket(INTERVAL '1 hour', m.bucket), min(m.first_ts), max(m.last_ts), sum(m.heart_rate_sum)::bigint,
             sum(m.heart_rate_count)::bigint, min(m.heart_rate_min), max(m.heart_rate_max), sum(m.calories)::bigint,
             sum(m.steps)::bigint,
             CASE WHEN min(m.heart_rate_device) = max(m.heart_rate_device) THEN nullif(min(m.heart_rate_device), 0) END
        FROM (
          -- Of what is not over, or holds a stale quarter, the quarters that are in the rollup, and the others from raw readings.
          SELECT q.bucket, q.first_ts, q.last_ts, q.heart_rate_sum, q.heart_rate_count, q.heart_rate_min,
                 q.heart_rate_max, q.calories, q.steps, q.heart_rate_device
            FROM (SELECT public.time_bucket(INTERVAL '1 hour', h.materialized) AS bucket FROM core.horizon AS h
                  UNION
                  SELECT public.time_bucket(INTERVAL '1 hour', s.bucket) FROM api_internal.stale_quarters AS s
                   WHERE s.user_key = u.user_key) AS x
            JOIN rollup.user_15m AS q
              ON q.user_key = u.user_key AND q.bucket >= x.bucket AND q.bucket < x.bucket + INTERVAL '1 hour'
           WHERE q.bucket < (SELECT materialized FROM core.horizon)
             AND NOT EXISTS (SELECT FROM api_internal.stale_quarters AS s WHERE s.user_key = u.user_key AND s.bucket = q.bucket)
          UNION ALL
          SELECT m.bucket, m.first_ts, m.last_ts, m.heart_rate_sum, m.heart_rate_count, m.heart_rate_min,
                 m.heart_rate_max, m.calories, m.steps, m.heart_rate_device
            FROM api_internal.raw_minutes AS m
           WHERE m.user_key = u.user_key) AS m
       GROUP BY 1
    ) AS v
    LEFT JOIN core.device AS d ON d.device_key = v.heart_rate_device;

COMMENT ON VIEW api.vitals_1h IS
  'Every user by hour (UTC), exact at every moment, of several devices the best one: heart rate in beats per minute, calories in kilocalories, null where not measured; heart_rate_device is the device where a single one gave all.';
