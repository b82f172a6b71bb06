-- Who has readings, since when, and how much of the last week?
SELECT u.tenant_id, u.user_id, u.registered_at, max(v.last_ts) AS last_seen,
       count(v.bucket) AS hours_with_readings, sum(v.steps) AS steps
  FROM api.users AS u
  LEFT JOIN api.vitals_1h AS v
         ON v.tenant_id = u.tenant_id AND v.user_id = u.user_id AND v.bucket >= now() - INTERVAL '7 days'
 GROUP BY u.tenant_id, u.user_id, u.registered_at
 ORDER BY last_seen DESC NULLS LAST, u.user_id;
