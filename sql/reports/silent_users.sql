-- Which users have had no reading for a day, and since when?
SELECT tenant_id, user_id, last_seen, now() - last_seen AS silent_for
  FROM api.last_seen
 WHERE last_seen < now() - INTERVAL '24 hours'
 ORDER BY last_seen, tenant_id, user_id;
