-- How do users who walk 8,000 steps a day compare with the rest, by hour (UTC) of the last seven complete days?
WITH cohort AS (
  SELECT tenant_id, user_id, CASE WHEN avg(steps) >= 8000 THEN 'walks much' ELSE 'the rest' END AS cohort
    FROM api.daily('UTC')
   GROUP BY tenant_id, user_id
)
SELECT c.tenant_id, c.cohort, extract(hour FROM v.bucket AT TIME ZONE 'UTC')::int AS hour, count(DISTINCT c.user_id) AS users,
       round(avg(v.heart_rate_avg)::numeric, 1) AS heart_rate, round(avg(v.steps), 1) AS steps
  FROM cohort AS c
  JOIN api.vitals_1h AS v USING (tenant_id, user_id)
 WHERE v.bucket >= date_trunc('day', now(), 'UTC') - INTERVAL '168 hours' AND v.bucket < date_trunc('day', now(), 'UTC')
 GROUP BY 1, 2, 3
 ORDER BY 1, 2, 3;
