-- Every user by minute, exact at every moment: rollups, but raw readings since the midnight before the horizon and for stale days.
CREATE VIEW api.vitals_1m AS
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
    FROM (
      SELECT r.user_key, r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
             r.heart_rate_max, r.calories, r.steps, r.heart_rate_device
        FROM rollup.user_1m AS r
       WHERE r.bucket < (SELECT public.time_bucket(INTERVAL '24 hours', materialized) FROM core.horizon)
         AND NOT EXISTS (SELECT FROM core.stale_day AS s
                          WHERE s.user_key = r.user_key AND s.day = public.time_bucket(INTERVAL '24 hours', r.bucket))
      UNION ALL
      SELECT user_key, bucket, first_ts, last_ts, heart_rate_sum, heart_rate_count, heart_rate_min,
             heart_rate_max, calories, steps, heart_rate_device
        FROM api.raw_minutes
    ) AS v
    JOIN core.app_user AS u ON u.user_key = v.user_key
    JOIN core.tenant AS t ON t.tenant_key = u.tenant_key
    LEFT JOIN core.device AS d ON d.device_key = v.heart_rate_device;

COMMENT ON VIEW api.vitals_1m IS
  'Every user by minute (UTC), exact at every moment, of several devices the best one: heart rate in beats per minute, calories in kilocalories, null where not measured; heart_rate_device is the device where a single one gave all.';
