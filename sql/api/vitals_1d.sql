-- Users by day, exact at every moment: from rollups, and from raw readings above the horizon and for stale quarters of an hour.
CREATE VIEW api.vitals_1d WITH (security_barrier) AS
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
         v.resting_heart_rate AS resting_heart_rate,
         v.bucket + INTERVAL '24 hours' <= now() AS complete
    FROM api_internal.visible_tenant AS t
    JOIN core.app_user AS u ON u.tenant_key = t.tenant_key
   -- LATERAL, so that a query for one user reads the readings of that user only.
   CROSS JOIN LATERAL (
      SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count, r.heart_rate_min,
             r.heart_rate_max, r.calories, r.steps, r.heart_rate_device, r.worn_minutes, r.resting_heart_rate
        FROM rollup.user_1d AS r
       WHERE r.user_key = u.user_key
         AND r.bucket < (SELECT public.time_bucket(INTERVAL '24 hours', materialized) FROM core.horizon)
         AND NOT EXISTS (SELECT FROM core.stale_day AS s
                          WHERE s.user_key = u.user_key AND s.day = r.bucket AND s.quarters <> B'0'::bit(96))
      UNION ALL
      SELECT m.bucket, min(m.first_ts), max(m.last_ts), sum(m.heart_rate_sum)::bigint,
             sum(m.heart_rate_count)::int, min(m.heart_rate_min), max(m.heart_rate_max), sum(m.calories)::bigint,
             sum(m.steps)::bigint,
             CASE WHEN min(m.heart_rate_device) = max(m.heart_rate_device) THEN nullif(min(m.heart_rate_device), 0) END,
             CASE WHEN count(m.worn_minutes) = count(*) THEN sum(m.worn_minutes) END::smallint,
             min(m.heart_rate_sum / (m.heart_rate_count * 1e6::double precision)) FILTER (WHERE m.worn_minutes >= 3)
        FROM (
          -- Incomplete buckets and those with a stale quarter: fresh quarters from the rollup, the others from raw readings.
          SELECT x.bucket, q.first_ts, q.last_ts, q.heart_rate_sum, q.heart_rate_count, q.heart_rate_min,
                 q.heart_rate_max, q.calories, q.steps, q.heart_rate_device, q.worn_minutes
            FROM (SELECT public.time_bucket(INTERVAL '24 hours', h.materialized) AS bucket FROM core.horizon AS h
                  UNION
                  SELECT s.day FROM core.stale_day AS s WHERE s.user_key = u.user_key AND s.quarters <> B'0'::bit(96)) AS x
           -- One index lookup for each of them: OFFSET keeps the planner from reading the whole range and joining it.
           CROSS JOIN LATERAL (
              SELECT q.*
                FROM rollup.user_15m AS q
               WHERE q.user_key = u.user_key AND q.bucket >= x.bucket AND q.bucket < x.bucket + INTERVAL '24 hours'
                 AND q.bucket < (SELECT materialized FROM core.horizon)
                 AND (q.bucket < (SELECT public.time_bucket(INTERVAL '1 hour', materialized) FROM core.horizon)
                      OR NOT EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = u.user_key AND i.kind < 2 AND i.metric_key < 4))
                 AND NOT EXISTS (SELECT FROM api_internal.wide_marks AS s
                                  WHERE s.user_key = u.user_key AND s.day = public.time_bucket(INTERVAL '24 hours', q.bucket)
                                    AND get_bit(s.quarters, (date_part('epoch', q.bucket - s.day) / 900)::int) = 1)
              OFFSET 0) AS q
          UNION ALL
          SELECT public.time_bucket(INTERVAL '24 hours', q.bucket), q.first_ts, q.last_ts, q.heart_rate_sum, q.heart_rate_count,
                 q.heart_rate_min, q.heart_rate_max, q.calories, q.steps, q.heart_rate_device, q.worn_minutes
            FROM api_internal.raw_quarters AS q
           WHERE q.user_key = u.user_key) AS m
       GROUP BY 1
    ) AS v
    LEFT JOIN core.device AS d ON d.device_key = v.heart_rate_device;

COMMENT ON VIEW api.vitals_1d IS
  'Users by day (UTC), exact at every moment; of several devices the best one, chosen for each minute and metric. Only days with a reading have a row. For local days use api.daily.';
COMMENT ON COLUMN api.vitals_1d.tenant_id IS 'The tenant of the user; two tenants may have users of the same name.';
COMMENT ON COLUMN api.vitals_1d.user_id IS 'The user, within the tenant.';
COMMENT ON COLUMN api.vitals_1d.bucket IS 'Start of the day, UTC.';
COMMENT ON COLUMN api.vitals_1d.heart_rate_count IS 'Number of heart rates; 0 if there are none.';
COMMENT ON COLUMN api.vitals_1d.heart_rate_avg IS 'Mean heart rate, beats per minute; null without one.';
COMMENT ON COLUMN api.vitals_1d.heart_rate_min IS 'Lowest heart rate, beats per minute; null without one.';
COMMENT ON COLUMN api.vitals_1d.heart_rate_max IS 'Highest heart rate, beats per minute; null without one.';
COMMENT ON COLUMN api.vitals_1d.heart_rate_device IS 'The device that gave every heart rate; null if there are several devices, or no heart rate.';
COMMENT ON COLUMN api.vitals_1d.steps IS 'Steps; null if none were counted.';
COMMENT ON COLUMN api.vitals_1d.calories IS 'Kilocalories burnt; null if none were measured.';
COMMENT ON COLUMN api.vitals_1d.first_ts IS 'The timestamp of the first reading of any metric.';
COMMENT ON COLUMN api.vitals_1d.last_ts IS 'The timestamp of the last reading of any metric.';
COMMENT ON COLUMN api.vitals_1d.worn_minutes IS 'Minutes with a heart rate of any device; null where retention dropped readings before these minutes were counted.';
COMMENT ON COLUMN api.vitals_1d.resting_heart_rate IS 'Lowest mean of a quarter of an hour with a heart rate in at least 3 of its minutes, beats per minute; null without one.';
COMMENT ON COLUMN api.vitals_1d.complete IS 'True once the day is over. Late uploads may still change the row.';
