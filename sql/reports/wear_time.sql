-- How long did each user wear a device on each of the last seven complete days (UTC), and on which days for ten hours?
SELECT tenant_id, user_id, day, worn_minutes, worn_minutes >= 600 AS enough
  FROM api.daily('UTC')
 ORDER BY tenant_id, user_id, day;
