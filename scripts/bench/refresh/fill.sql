-- Readings of many sources in a range, written at once, in the order of the batches of these minutes.
INSERT INTO {table} (ts, heart_rate, calories, user_key, device_key, steps)
SELECT n.ts, (500 + mod(n.number, 997)) / 10.0, mod(n.number, 331) / 100.0, n.user_key, n.device_key, mod(n.number, 113)::int
  FROM (SELECT s.user_key,
               s.device_key,
               m.ts + s.second * INTERVAL '1 second' AS ts,
               s.user_key::bigint * 7919 + (extract(epoch FROM m.ts - '2000-01-01T00:00Z')::bigint / 60) * 104729
                 + s.device_key AS number
          FROM unnest(%(user_keys)s::int[], %(device_keys)s::int[], %(seconds)s::int[]) AS s (user_key, device_key, second)
         CROSS JOIN generate_series(%(begin)s::timestamptz, %(end)s::timestamptz - INTERVAL '1 second', %(every)s::interval) AS m (ts)
       ) AS n
 ORDER BY n.user_key, n.device_key, n.ts
