-- The readings that count: of several devices the best one, chosen for each minute and metric.
CREATE VIEW api.best_readings WITH (security_barrier) AS
  SELECT t.tenant_id, u.user_id, d.device_id, r.bucket, r.ts, r.heart_rate, r.steps, r.calories
    FROM api_internal.visible_tenant AS t
    JOIN core.app_user AS u ON u.tenant_key = t.tenant_key
   -- LATERAL, so that a query for one user reads the readings of that user only.
   CROSS JOIN LATERAL (
      SELECT r.device_key, r.bucket, r.ts,
             CASE WHEN r.heart_rate_rank = r.best_of_heart_rate THEN r.heart_rate END AS heart_rate,
             CASE WHEN r.steps_rank = r.best_of_steps THEN r.steps END AS steps,
             CASE WHEN r.calories_rank = r.best_of_calories THEN r.calories END AS calories
        FROM (SELECT r.*,
                     min(r.heart_rate_rank) FILTER (WHERE r.heart_rate IS NOT NULL) OVER minute AS best_of_heart_rate,
                     min(r.steps_rank) FILTER (WHERE r.steps IS NOT NULL) OVER minute AS best_of_steps,
                     min(r.calories_rank) FILTER (WHERE r.calories IS NOT NULL) OVER minute AS best_of_calories
                FROM (SELECT r.device_key, public.time_bucket(INTERVAL '1 minute', r.ts) AS bucket, r.ts,
                             r.heart_rate, r.steps, r.calories,
                             -- The smallest priority wins, then the device registered first.
                             d.heart_rate_rank, d.steps_rank, d.calories_rank
                        FROM core.reading AS r
                        JOIN core.device AS d USING (device_key)
                       WHERE r.user_key = u.user_key) AS r
              WINDOW minute AS (PARTITION BY r.bucket)) AS r
    ) AS r
    JOIN core.device AS d USING (device_key)
   WHERE num_nonnulls(r.heart_rate, r.steps, r.calories) > 0;

COMMENT ON VIEW api.best_readings IS
  'Readings of the best device, chosen for each minute and metric as everywhere: a metric of another device is null, and a reading without any has no row. Raw readings; restrict bucket, by which a range is found in the index, as well as ts.';
COMMENT ON COLUMN api.best_readings.tenant_id IS 'The tenant of the user; two tenants may have users of the same name.';
COMMENT ON COLUMN api.best_readings.user_id IS 'The user, within the tenant.';
COMMENT ON COLUMN api.best_readings.device_id IS 'The device that measured, the best one for the metrics that are not null.';
COMMENT ON COLUMN api.best_readings.bucket IS 'Start of the minute, UTC, within which devices are compared.';
COMMENT ON COLUMN api.best_readings.ts IS 'When the reading was measured.';
COMMENT ON COLUMN api.best_readings.heart_rate IS 'Heart rate in beats per minute; null if not measured, or if a better device measured it in this minute.';
COMMENT ON COLUMN api.best_readings.steps IS 'Steps since the previous reading; null if not counted, or if a better device counted in this minute.';
COMMENT ON COLUMN api.best_readings.calories IS 'Kilocalories burnt since the previous reading; null if not measured, or if a better device measured them in this minute.';
