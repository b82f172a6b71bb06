-- At what hour of the day (UTC) did users walk most in the last 30 complete days?
SELECT tenant_id, extract(hour FROM bucket AT TIME ZONE 'UTC')::int AS hour, sum(steps) AS steps,
       round(sum(steps) / sum(steps_users), 1) AS steps_of_a_walker
  FROM api.population_1h
 WHERE bucket >= date_trunc('day', now(), 'UTC') - INTERVAL '720 hours' AND bucket < date_trunc('day', now(), 'UTC')
   AND steps_users > 0
 GROUP BY 1, 2
 ORDER BY 1, 2;
