-- On which of the last seven complete days (UTC) was a user's resting heart rate far from that of the 28 days before?
SELECT tenant_id, user_id, day, round(resting_heart_rate::numeric, 1) AS resting_heart_rate, round(mean::numeric, 1) AS usual,
       round(((resting_heart_rate - mean) / spread)::numeric, 1) AS deviations
  FROM (SELECT tenant_id, user_id, day, resting_heart_rate, count(resting_heart_rate) OVER before AS days,
               avg(resting_heart_rate) OVER before AS mean, stddev_samp(resting_heart_rate) OVER before AS spread
          FROM api.daily('UTC', (now() AT TIME ZONE 'UTC')::date - 35)
        WINDOW before AS (PARTITION BY tenant_id, user_id ORDER BY day
                          RANGE BETWEEN INTERVAL '28 days' PRECEDING AND INTERVAL '1 day' PRECEDING)) AS d
 WHERE day >= (now() AT TIME ZONE 'UTC')::date - 7 AND days >= 14 AND spread > 0
   AND abs(resting_heart_rate - mean) > 2 * spread
 ORDER BY tenant_id, day DESC, user_id;
