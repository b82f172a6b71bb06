-- What was each user's resting heart rate on each of the last seven complete days (UTC)?
SELECT tenant_id, user_id, day, round(resting_heart_rate::numeric, 1) AS resting_heart_rate, worn_minutes
  FROM api.daily('UTC')
 WHERE resting_heart_rate IS NOT NULL
 ORDER BY tenant_id, user_id, day;
