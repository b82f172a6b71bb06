-- Users by quarter of an hour, exact at every moment: from rollups, and from raw readings above the horizon and for stale quarters of an hour.
CREATE VIEW api.vitals_15m WITH (security_barrier) AS
  SELECT t.tenant_id,
         u.user_id,
         v.bucket,
         v.heart_rate_count::bigint AS heart_rate_count,
         v.heart_rate_sum / (nullif(v.heart_rate_count, 0) * 1e6::double precision) AS heart_rate_avg,
         v.heart_rate_min,
         v.heart_rate_max,
         d.device_id AS heart_rate_device,
         v.steps,
         v.calories / 1e6::double precision AS calories,
         v.first_ts,
         v.last_ts,
         v.worn_minutes::int AS worn_minutes,
         CASE WHEN v.worn_minutes >= 3 THEN v.heart_rate_sum / (v.heart_rate_count * 1e6::double precision) END AS resting_heart_rate,
         v.bucket + INTERVAL '15 minutes' <= now() AS complete
    FROM api_internal.visible_tenant AS t
    JOIN core.app_user AS u ON u.tenant_key = t.tenant_key
   -- LATERAL, so that a query for one user reads the readings of that user only.
   CROSS JOIN LATERAL (
      SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
             r.heart_rate_max, r.calories, r.steps, r.heart_rate_device, r.worn_minutes
        FROM rollup.user_15m AS r
       WHERE r.user_key = u.user_key
         AND r.bucket < (SELECT materialized FROM core.horizon)
         -- What lies above the horizon in the same hour may change what counts below it, where there are intervals.
         AND (r.bucket < (SELECT public.time_bucket(INTERVAL '1 hour', materialized) FROM core.horizon)
              OR NOT EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = u.user_key AND i.kind < 2 AND i.metric_key < 4))
         AND NOT EXISTS (SELECT FROM api_internal.wide_marks AS s
                          WHERE s.user_key = u.user_key AND s.day = public.time_bucket(INTERVAL '24 hours', r.bucket)
                            AND get_bit(s.quarters, (date_part('epoch', r.bucket - s.day) / 900)::int) = 1)
      UNION ALL
      SELECT q.bucket, q.first_ts, q.last_ts, q.heart_rate_sum, q.heart_rate_count, q.heart_rate_min,
             q.heart_rate_max, q.calories, q.steps, q.heart_rate_device, q.worn_minutes
        FROM api_internal.raw_quarters AS q
       WHERE q.user_key = u.user_key
    ) AS v
    LEFT JOIN core.device AS d ON d.device_key = v.heart_rate_device;

COMMENT ON VIEW api.vitals_15m IS
  'Users by quarter of an hour (UTC), exact at every moment; of several devices the best one, chosen for each minute and metric. Only quarters of an hour with a reading have a row. They add up to the local days of any time zone, which api.daily returns.';
COMMENT ON COLUMN api.vitals_15m.tenant_id IS 'The tenant of the user; two tenants may have users of the same name.';
COMMENT ON COLUMN api.vitals_15m.user_id IS 'The user, within the tenant.';
COMMENT ON COLUMN api.vitals_15m.bucket IS 'Start of the quarter of an hour, UTC.';
COMMENT ON COLUMN api.vitals_15m.heart_rate_count IS 'Number of heart rates; 0 if there are none.';
COMMENT ON COLUMN api.vitals_15m.heart_rate_avg IS 'Mean heart rate, beats per minute; null without one.';
COMMENT ON COLUMN api.vitals_15m.heart_rate_min IS 'Lowest heart rate, beats per minute; null without one.';
COMMENT ON COLUMN api.vitals_15m.heart_rate_max IS 'Highest heart rate, beats per minute; null without one.';
COMMENT ON COLUMN api.vitals_15m.heart_rate_device IS 'The device that gave every heart rate; null if there are several devices, or no heart rate.';
COMMENT ON COLUMN api.vitals_15m.steps IS 'Steps; null if none were counted.';
COMMENT ON COLUMN api.vitals_15m.calories IS 'Kilocalories burnt; null if none were measured.';
COMMENT ON COLUMN api.vitals_15m.first_ts IS 'The timestamp of the first reading of any metric.';
COMMENT ON COLUMN api.vitals_15m.last_ts IS 'The timestamp of the last reading of any metric.';
COMMENT ON COLUMN api.vitals_15m.worn_minutes IS 'Minutes with a heart rate of any device; null where retention dropped readings before these minutes were counted.';
COMMENT ON COLUMN api.vitals_15m.resting_heart_rate IS 'Lowest mean of a quarter of an hour with a heart rate in at least 3 of its minutes, beats per minute; null without one.';
COMMENT ON COLUMN api.vitals_15m.complete IS 'True once the quarter of an hour is over. Late uploads may still change the row.';
