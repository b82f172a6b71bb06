-- Every user by hour, exact at every moment: rollups, but raw readings since the midnight before the horizon and for stale days.
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
    FROM (
      SELECT r.user_key, r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
             r.heart_rate_max, r.calories, r.steps, r.heart_rate_device
        FROM rollup.user_1h AS r
       WHERE r.bucket < (SELECT public.time_bucket(INTERVAL '24 hours', materialized) FROM core.horizon)
         AND NOT EXISTS (SELECT FROM core.stale_day AS s
                          WHERE s.user_key = r.user_key AND s.day = public.time_bucket(INTERVAL '24 hours', r.bucket))
      UNION ALL
      SELECT m.user_key, public.time_bucket(INTERVAL '1 hour', m.bucket), min(m.first_ts), max(m.last_ts),
             sum(m.heart_rate_sum)::bigint, sum(m.heart_rate_count)::bigint, min(m.heart_rate_min),
             max(m.heart_rate_max), sum(m.calories)::bigint, sum(m.steps)::bigint,
             CASE WHEN min(m.heart_rate_device) = max(m.heart_rate_device) THEN min(m.heart_rate_device) END
        FROM api.raw_minutes AS m
       GROUP BY 1, 2
    ) AS v
    JOIN core.app_user AS u ON u.user_key = v.user_key
    JOIN core.tenant AS t ON t.tenant_key = u.tenant_key
    LEFT JOIN core.device AS d ON d.device_key = v.heart_rate_device;

COMMENT ON VIEW api.vitals_1h IS
  'Every user by hour (UTC), exact at every moment, of several devices the best one: heart rate in beats per minute, calories in kilocalories, null where not measured; heart_rate_device is the device where a single one gave all.';
