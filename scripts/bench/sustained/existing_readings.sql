-- Readings stored before the run: one a minute of each user, in a range.
INSERT INTO core.reading (ts, heart_rate, calories, user_key, device_key, steps)
SELECT m.ts, 60 + mod(u.user_key * 7 + extract(minute FROM m.ts)::int, 60), 1.25, u.user_key, u.device_key,
       CASE WHEN mod(extract(minute FROM m.ts)::int, 3) = 0 THEN 20 END
  FROM unnest(%(user_keys)s::int[], %(device_keys)s::int[]) AS u (user_key, device_key)
 CROSS JOIN generate_series(%(begin)s::timestamptz, %(end)s::timestamptz - INTERVAL '1 minute', INTERVAL '1 minute') AS m (ts)
