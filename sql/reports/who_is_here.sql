-- Which users have readings, since when, and on how many of the last seven complete days (UTC)?
SELECT u.tenant_id, u.user_id, u.registered_at, u.last_seen, count(d.day) AS days_with_readings, sum(d.steps) AS steps
  FROM api.last_seen AS u
  LEFT JOIN api.daily('UTC') AS d USING (tenant_id, user_id)
 GROUP BY u.tenant_id, u.user_id, u.registered_at, u.last_seen
 ORDER BY u.last_seen DESC NULLS LAST, u.tenant_id, u.user_id;
