-- Which were the ten most active days?
SELECT user_id, bucket::date AS day, steps, round(calories::numeric, 1) AS calories
  FROM api.vitals_1d
 WHERE steps IS NOT NULL
 ORDER BY steps DESC, user_id, day
 LIMIT 10;
