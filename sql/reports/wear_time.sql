-- How long did everyone wear a device on each of the last seven days (UTC) that are over, and which were worn for ten hours?
SELECT tenant_id, user_id, day, worn_minutes, worn_minutes >= 600 AS enough
  FROM api.daily('UTC')
 ORDER BY tenant_id, user_id, day;
