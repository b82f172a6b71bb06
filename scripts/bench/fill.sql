-- Readings of every user from one moment to another: a heart rate that wanders about the hour's level, steps by day.
INSERT INTO core.reading (ts, heart_rate, calories, user_key, device_key, steps)
SELECT w.ts,
       w.heart_rate,
       round((0.2 + w.heart_rate / 100) * 1000) / 1000,
       w.user_key,
       w.device_key,
       CASE WHEN extract(hour FROM w.ts) BETWEEN 7 AND 21 AND random() < 0.4 THEN (random() * 110)::int ELSE 0 END
  FROM (SELECT u.user_key,
               u.device_key,
               -- Each user's minute begins at a second of its own.
               m.ts + mod(u.user_key, 60) * INTERVAL '1 second' AS ts,
               round(least(180, greatest(40, 66 + 10 * sin(extract(epoch FROM m.ts)::float8 / 86400 * 2 * pi())
                 + sum(random() - 0.5) OVER (PARTITION BY u.user_key ORDER BY m.ts)))) AS heart_rate
          FROM unnest(%(user_keys)s::int[], %(device_keys)s::int[]) AS u (user_key, device_key)
         CROSS JOIN generate_series(%(begin)s::timestamptz, %(end)s::timestamptz - INTERVAL '1 second', %(every)s::interval) AS m (ts)
       ) AS w
 ORDER BY w.user_key, w.ts
