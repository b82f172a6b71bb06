-- What was everyone's resting heart rate, the lowest quarter of an hour of each of the last seven days?
SELECT user_id, date_trunc('day', bucket, 'UTC')::date AS day, round(min(heart_rate_avg)::numeric, 1) AS resting_heart_rate
  FROM api.vitals_15m
 WHERE bucket >= now() - INTERVAL '7 days' AND heart_rate_count > 0
 GROUP BY 1, 2
 ORDER BY 1, 2;
