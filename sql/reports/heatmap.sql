-- How many steps fall on each day of the week (1 is Monday) and hour (UTC), in the last 28 complete days?
SELECT tenant_id, extract(isodow FROM bucket AT TIME ZONE 'UTC')::int AS weekday,
       extract(hour FROM bucket AT TIME ZONE 'UTC')::int AS hour, sum(steps) AS steps
  FROM api.population_1h
 WHERE bucket >= date_trunc('day', now(), 'UTC') - INTERVAL '672 hours' AND bucket < date_trunc('day', now(), 'UTC')
 GROUP BY 1, 2, 3
 ORDER BY 1, 2, 3;
