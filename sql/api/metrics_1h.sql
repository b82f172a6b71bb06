-- Any metric of users by hour, exact at every moment: from rollups, and from readings and samples above the horizon and for stale quarters of an hour.
CREATE VIEW api.metrics_1h WITH (security_barrier) AS
  -- The metrics of readings: a branch for each, so that a query for one metric runs no other.
  SELECT v.tenant_id, v.user_id, 'heart_rate' AS metric, '/min' AS unit, 'gauge' AS kind, v.bucket, v.heart_rate_count AS count,
         v.heart_rate_avg AS avg, v.heart_rate_min AS min, v.heart_rate_max AS max, NULL::double precision AS total,
         NULL::double precision AS last, v.heart_rate_device AS sole_device, NULL::timestamptz AS first_ts, NULL::timestamptz AS last_ts, v.complete
    FROM api.vitals_1h AS v
   WHERE v.heart_rate_count > 0
  UNION ALL
  SELECT v.tenant_id, v.user_id, 'steps', '{steps}', 'sum', v.bucket, NULL, NULL, NULL, NULL, v.steps, NULL, NULL, NULL, NULL, v.complete
    FROM api.vitals_1h AS v
   WHERE v.steps IS NOT NULL
  UNION ALL
  SELECT v.tenant_id, v.user_id, 'calories', 'kcal', 'sum', v.bucket, NULL, NULL, NULL, NULL, v.calories, NULL, NULL, NULL, NULL, v.complete
    FROM api.vitals_1h AS v
   WHERE v.calories IS NOT NULL
  UNION ALL
  SELECT t.tenant_id, u.user_id, m.name, m.unit, m.kind, r.bucket, r.samples,
         CASE m.kind WHEN 'gauge' THEN r.total::double precision / (r.samples * 1e6::double precision) END,
         CASE m.kind WHEN 'gauge' THEN r.lowest END, CASE m.kind WHEN 'gauge' THEN r.highest END,
         CASE m.kind WHEN 'sum' THEN r.total::double precision / 1e6::double precision END,
         CASE m.kind WHEN 'latest' THEN r.last_value END, d.device_id, r.first_ts, r.last_ts,
         r.bucket + INTERVAL '1 hour' <= now()
    FROM api_internal.visible_tenant AS t
    JOIN core.app_user AS u ON u.tenant_key = t.tenant_key
    JOIN (SELECT s.user_key, s.metric_key FROM core.sample_series AS s GROUP BY 1, 2) AS k ON k.user_key = u.user_key
    JOIN core.metric AS m ON m.metric_key = k.metric_key
   -- LATERAL, so that a query for one user and metric reads their rows only.
   CROSS JOIN LATERAL (
      SELECT r.bucket, r.samples, r.total, r.lowest, r.highest, r.last_value, r.best_device, r.first_ts, r.last_ts
        FROM rollup.sample_1h AS r
       WHERE r.user_key = u.user_key AND r.metric_key = m.metric_key
         AND r.bucket < (SELECT public.time_bucket(INTERVAL '1 hour', materialized) FROM core.horizon)
         AND NOT EXISTS (SELECT FROM core.stale_day AS s
                          WHERE s.user_key = u.user_key AND s.day = public.time_bucket(INTERVAL '24 hours', r.bucket)
                            AND substring(s.sample_quarters FROM (date_part('epoch', r.bucket - s.day) / 900)::int + 1 FOR 4) <> B'0000')) AS r
    LEFT JOIN core.device AS d ON d.device_key = r.best_device
  UNION ALL
  SELECT t.tenant_id, u.user_id, m.name, m.unit, m.kind, r.bucket, r.samples,
         CASE m.kind WHEN 'gauge' THEN r.total::double precision / (r.samples * 1e6::double precision) END,
         CASE m.kind WHEN 'gauge' THEN r.lowest END, CASE m.kind WHEN 'gauge' THEN r.highest END,
         CASE m.kind WHEN 'sum' THEN r.total::double precision / 1e6::double precision END,
         CASE m.kind WHEN 'latest' THEN r.last_value END, d.device_id, r.first_ts, r.last_ts,
         r.bucket + INTERVAL '1 hour' <= now()
    FROM api_internal.visible_tenant AS t
    JOIN core.app_user AS u ON u.tenant_key = t.tenant_key
   CROSS JOIN LATERAL api_internal.unrolled_samples(u.user_key, INTERVAL '1 hour') AS r
    JOIN core.metric AS m ON m.metric_key = r.metric_key
    LEFT JOIN core.device AS d ON d.device_key = r.sole_device
   WHERE EXISTS (SELECT FROM core.stale_day AS s WHERE s.user_key = u.user_key AND s.sample_quarters IS NOT NULL)
      OR EXISTS (SELECT FROM core.sample_day AS n WHERE n.user_key = u.user_key);

COMMENT ON VIEW api.metrics_1h IS
  'Any metric of users by hour (UTC), a row for each metric, exact at every moment; of several devices the best one, chosen for each minute and metric. Only hours with a value have a row. api.vitals_1h has heart_rate, steps and calories as columns.';
COMMENT ON COLUMN api.metrics_1h.tenant_id IS 'The tenant of the user; two tenants may have users of the same name.';
COMMENT ON COLUMN api.metrics_1h.user_id IS 'The user, within the tenant.';
COMMENT ON COLUMN api.metrics_1h.metric IS 'What was measured, a name of api.metrics.';
COMMENT ON COLUMN api.metrics_1h.unit IS 'The unit of the values, a UCUM code.';
COMMENT ON COLUMN api.metrics_1h.kind IS 'gauge, sum or latest, as in api.metrics: says which of the following are set.';
COMMENT ON COLUMN api.metrics_1h.bucket IS 'Start of the hour, UTC.';
COMMENT ON COLUMN api.metrics_1h.count IS 'Number of values that count; null for steps and calories, of which it is not kept.';
COMMENT ON COLUMN api.metrics_1h.avg IS 'Mean of a gauge; null for other kinds.';
COMMENT ON COLUMN api.metrics_1h.min IS 'Lowest value of a gauge; null for other kinds.';
COMMENT ON COLUMN api.metrics_1h.max IS 'Highest value of a gauge; null for other kinds.';
COMMENT ON COLUMN api.metrics_1h.total IS 'Total of a sum; null for other kinds.';
COMMENT ON COLUMN api.metrics_1h.last IS 'Last value of the kind latest; null for other kinds.';
COMMENT ON COLUMN api.metrics_1h.sole_device IS 'The device that gave every value that counts; null if there are several, and for steps and calories.';
COMMENT ON COLUMN api.metrics_1h.first_ts IS 'When the first value that counts was measured; null for heart_rate, steps and calories.';
COMMENT ON COLUMN api.metrics_1h.last_ts IS 'When the last value that counts was measured; null for heart_rate, steps and calories.';
COMMENT ON COLUMN api.metrics_1h.complete IS 'True once the hour is over. Late uploads may still change the row.';
