-- How did the last seven days go, user by user and day by day, in local days of Berlin?
SELECT u.user_id, (s.t AT TIME ZONE 'Europe/Berlin')::date AS day, s.steps, round(s.calories::numeric, 1) AS calories,
       round(s.heart_rate_avg::numeric, 1) AS heart_rate
  FROM api.users AS u
 CROSS JOIN LATERAL api.series(u.tenant_id, u.user_id, now() - INTERVAL '7 days', now(), '1d', 'Europe/Berlin') AS s
 ORDER BY u.user_id, s.t;
