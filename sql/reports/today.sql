-- What are each user's totals of today (UTC)?
SELECT tenant_id, user_id, steps, round(calories::numeric, 1) AS calories, round(heart_rate_avg::numeric, 1) AS heart_rate,
       heart_rate_min, heart_rate_max
  FROM api.vitals_1d
 WHERE bucket = date_trunc('day', now(), 'UTC')
 ORDER BY tenant_id, steps DESC NULLS LAST, user_id;
