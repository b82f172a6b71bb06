-- Who has not been heard of for a day, and since when?
SELECT u.user_id, max(v.last_ts) AS last_seen, now() - max(v.last_ts) AS silent_for
  FROM api.users AS u
  JOIN api.vitals_1d AS v ON v.tenant_id = u.tenant_id AND v.user_id = u.user_id
 GROUP BY u.user_id
HAVING max(v.last_ts) < now() - INTERVAL '1 day'
 ORDER BY last_seen;
