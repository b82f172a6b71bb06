-- Users by minute, exact at every moment: from raw readings, since a rollup by minute would take more space.
CREATE VIEW api.vitals_1m WITH (security_barrier) AS
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
    FROM api_internal.visible_tenant AS t
    JOIN core.app_user AS u ON u.tenant_key = t.tenant_key
   -- LATERAL, so that a query for one user reads the readings of that user only.
   CROSS JOIN LATERAL (
      WITH ranked AS (
        SELECT r.device_key, public.time_bucket(INTERVAL '1 minute', r.bucket) AS bucket,
               min(r.first_ts) AS first_ts,
               max(r.last_ts) AS last_ts,
               sum(r.heart_rate_sum)::bigint AS heart_rate_sum,
               sum(r.heart_rate_count) AS heart_rate_count,
               min(r.heart_rate_min) AS heart_rate_min,
               max(r.heart_rate_max) AS heart_rate_max,
               sum(r.calories)::bigint AS calories,
               sum(r.steps)::bigint AS steps,
               d.heart_rate_rank, d.steps_rank, d.calories_rank
          FROM api_internal.raw_rows AS r
          JOIN core.device AS d USING (device_key)
         WHERE r.user_key = u.user_key AND NOT EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = u.user_key AND i.kind < 2 AND i.metric_key < 4)
         GROUP BY r.device_key, 2, d.device_key
      )
      SELECT r.bucket,
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
       GROUP BY r.bucket
      UNION ALL
      -- Minutes of users with intervals, one user after the other and from the first one on, however few are asked for.
      SELECT m.bucket, m.first_ts, m.last_ts, m.heart_rate_sum, m.heart_rate_count, m.heart_rate_min, m.heart_rate_max,
             m.calories, m.steps, m.heart_rate_device
        FROM api_internal.all_minutes(CASE WHEN EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = u.user_key AND i.kind < 2 AND i.metric_key < 4) THEN u.user_key END) AS m
    ) AS v
    LEFT JOIN core.device AS d ON d.device_key = v.heart_rate_device;

COMMENT ON VIEW api.vitals_1m IS
  'Users by minute (UTC), exact at every moment, from raw readings; of several devices the best one, chosen for each minute and metric. Only minutes with a reading, or that an interval of steps or calories covers, have a row. Intervals are shared out over their minutes as api.series shares them. A question about a user with intervals resolves all minutes of the user, however short the range is: api.series reads the range alone.';
COMMENT ON COLUMN api.vitals_1m.tenant_id IS 'The tenant of the user; two tenants may have users of the same name.';
COMMENT ON COLUMN api.vitals_1m.user_id IS 'The user, within the tenant.';
COMMENT ON COLUMN api.vitals_1m.bucket IS 'Start of the minute, UTC.';
COMMENT ON COLUMN api.vitals_1m.heart_rate_count IS 'Number of heart rates; 0 if there are none.';
COMMENT ON COLUMN api.vitals_1m.heart_rate_avg IS 'Mean heart rate, beats per minute; null without one.';
COMMENT ON COLUMN api.vitals_1m.heart_rate_min IS 'Lowest heart rate, beats per minute; null without one.';
COMMENT ON COLUMN api.vitals_1m.heart_rate_max IS 'Highest heart rate, beats per minute; null without one.';
COMMENT ON COLUMN api.vitals_1m.heart_rate_device IS 'The device that gave every heart rate; null if there are several devices, or no heart rate.';
COMMENT ON COLUMN api.vitals_1m.steps IS 'Steps; null if none were counted.';
COMMENT ON COLUMN api.vitals_1m.calories IS 'Kilocalories burnt; null if none were measured.';
COMMENT ON COLUMN api.vitals_1m.first_ts IS 'The timestamp of the first reading of any metric.';
COMMENT ON COLUMN api.vitals_1m.last_ts IS 'The timestamp of the last reading of any metric.';
