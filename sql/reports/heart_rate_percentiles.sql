-- What are the median and the 95th percentile of each user's heart rate by minute in the last 24 hours?
SELECT tenant_id, user_id, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY heart_rate_avg)::numeric, 1) AS median,
       round(percentile_cont(0.95) WITHIN GROUP (ORDER BY heart_rate_avg)::numeric, 1) AS p95, count(*) AS minutes
  FROM api.vitals_1m
 WHERE bucket >= now() - INTERVAL '24 hours' AND heart_rate_count > 0
 GROUP BY tenant_id, user_id
 ORDER BY tenant_id, user_id;
