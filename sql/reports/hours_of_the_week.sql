-- How many steps did each user walk in each hour of the week (1 is Monday), in the last 28 complete days where the user lives?
SELECT v.tenant_id, v.user_id, extract(isodow FROM v.local)::int AS weekday, extract(hour FROM v.local)::int AS hour, sum(v.steps) AS steps
  -- Quarters of an hour, since the hours of some zones begin beside those of UTC.
  FROM (SELECT q.tenant_id, q.user_id, q.steps, q.bucket AT TIME ZONE u.zone AS local, (now() AT TIME ZONE u.zone)::date AS today
          FROM api.vitals_15m AS q
          JOIN (SELECT tenant_id, user_id, coalesce(time_zone, 'UTC') AS zone FROM api.users) AS u USING (tenant_id, user_id)
         WHERE q.bucket >= date_trunc('day', now(), 'UTC') - INTERVAL '696 hours' AND q.bucket < now() AND q.steps IS NOT NULL) AS v
 WHERE v.local >= v.today - 28 AND v.local < v.today
 GROUP BY 1, 2, 3, 4
 ORDER BY 1, 2, 3, 4;
