-- Readings of every user between those that will be sent.
INSERT INTO core.reading (ts, heart_rate, calories, user_key, device_key, steps)
SELECT m.ts + INTERVAL '0.5 seconds', 70, 1.5, u.user_key, u.device_key, 3
  FROM unnest(%(user_keys)s::int[], %(device_keys)s::int[]) AS u (user_key, device_key)
 CROSS JOIN generate_series(%(begin)s::timestamptz, %(end)s::timestamptz, %(every)s::interval) AS m (ts)
