-- What were the percentiles of each user's heart rate by minute, and the minutes in each zone, on each of the last seven complete days where the user lives?
-- Reads every minute of a week: with many users, ask for one (AND user_id = 'ada').
SELECT v.tenant_id, v.user_id, v.day, round(percentile_cont(0.05) WITHIN GROUP (ORDER BY v.heart_rate_avg)::numeric, 1) AS p5,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY v.heart_rate_avg)::numeric, 1) AS median,
       round(percentile_cont(0.95) WITHIN GROUP (ORDER BY v.heart_rate_avg)::numeric, 1) AS p95,
       count(*) FILTER (WHERE v.heart_rate_avg < 60) AS below_60,
       count(*) FILTER (WHERE v.heart_rate_avg >= 60 AND v.heart_rate_avg < 100) AS from_60,
       count(*) FILTER (WHERE v.heart_rate_avg >= 100 AND v.heart_rate_avg < 140) AS from_100,
       count(*) FILTER (WHERE v.heart_rate_avg >= 140) AS from_140
  FROM (SELECT m.tenant_id, m.user_id, m.heart_rate_avg, (m.bucket AT TIME ZONE u.zone)::date AS day, (now() AT TIME ZONE u.zone)::date AS today
          FROM api.vitals_1m AS m
          JOIN (SELECT tenant_id, user_id, coalesce(time_zone, 'UTC') AS zone FROM api.users) AS u USING (tenant_id, user_id)
         WHERE m.bucket >= date_trunc('day', now(), 'UTC') - INTERVAL '192 hours' AND m.bucket < now() AND m.heart_rate_count > 0) AS v
 WHERE v.day >= v.today - 7 AND v.day < v.today
 GROUP BY v.tenant_id, v.user_id, v.day
 ORDER BY v.tenant_id, v.user_id, v.day;
