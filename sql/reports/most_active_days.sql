-- Which were the ten most active days (UTC) of each tenant among the last 30 complete days?
SELECT tenant_id, place, user_id, day, steps, round(calories::numeric, 1) AS calories
  FROM (SELECT d.*, row_number() OVER (PARTITION BY tenant_id ORDER BY steps DESC, user_id, day) AS place
          FROM api.daily('UTC', (now() AT TIME ZONE 'UTC')::date - 30) AS d
         WHERE steps IS NOT NULL) AS d
 WHERE place <= 10
 ORDER BY tenant_id, place;
