-- What are the totals of each user on each of the last seven complete days, in local days of Berlin?
SELECT tenant_id, user_id, day, steps, round(calories::numeric, 1) AS calories, round(heart_rate_avg::numeric, 1) AS heart_rate,
       worn_minutes
  FROM api.daily('Europe/Berlin')
 ORDER BY tenant_id, user_id, day;
