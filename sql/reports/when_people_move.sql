-- At what hour of the day (UTC) do people walk most?
SELECT extract(hour FROM bucket AT TIME ZONE 'UTC')::int AS hour, sum(steps) AS steps, count(DISTINCT user_id) AS users
  FROM api.vitals_1h
 WHERE bucket >= now() - INTERVAL '30 days' AND steps > 0
 GROUP BY 1
 ORDER BY 1;
