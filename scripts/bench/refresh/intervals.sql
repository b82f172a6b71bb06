-- What devices measured of users in a day below the horizon, added to what a person of a walk sent, and its marks.
WITH users AS (
  SELECT u.user_key, row_number() OVER (ORDER BY u.user_key) - 1 AS place
    FROM unnest(%(user_keys)s::int[]) AS u (user_key)
), readings AS (
  INSERT INTO core.reading (user_key, device_key, ts, heart_rate, steps, calories)
    SELECT u.user_key, d.device_key, %(day)s::timestamptz + m * INTERVAL '1 minute', CASE WHEN NOT %(only_steps)s THEN 60 + m %% 40 END, m %% 90,
           CASE WHEN NOT %(only_steps)s THEN 1.25 END
      FROM users AS u
     CROSS JOIN unnest(%(readers)s::int[]) AS d (device_key)
     CROSS JOIN generate_series(0, 1439, %(every)s) AS m
     ORDER BY 1, 2, 3
), intervals AS (
  INSERT INTO core.interval (user_key, metric_key, device_key, ts, ends_at, value, version)
    SELECT u.user_key, %(metric)s, d.device_key, m.ts, m.ts + %(length)s::interval, extract(minute FROM m.ts), nextval('core.interval_version')
      FROM users AS u
     CROSS JOIN unnest(%(counters)s::int[]) AS d (device_key)
     CROSS JOIN generate_series(%(day)s::timestamptz, %(day)s::timestamptz + INTERVAL '1 day' - %(length)s::interval, %(length)s::interval) AS m (ts)
     ORDER BY 1, 2, 4
), samples AS (
  INSERT INTO core.sample (user_key, metric_key, device_key, ts, value)
    SELECT u.user_key, %(metric)s + k, d.device_key, %(day)s::timestamptz + m * INTERVAL '1 minute', 40 + (m * 7 + k) %% 50 + 0.25
      FROM users AS u
     CROSS JOIN unnest(%(samplers)s::int[]) AS d (device_key)
     CROSS JOIN generate_series(0, 2) AS k
     CROSS JOIN generate_series(0, 1439) AS m
     ORDER BY 1, 2, 3, 4
), copied_readings AS (
  INSERT INTO core.reading (user_key, device_key, ts, heart_rate, steps, calories)
    SELECT u.user_key, r.device_key, r.ts, r.heart_rate, r.steps, r.calories
      FROM users AS u
      JOIN core.reading AS r ON r.user_key = (%(walkers)s::int[])[1 + u.place %% greatest(cardinality(%(walkers)s::int[]), 1)]
     ORDER BY 1, 2, 3
), copied_intervals AS (
  INSERT INTO core.interval (user_key, metric_key, device_key, ts, ends_at, value, version)
    SELECT u.user_key, i.metric_key, i.device_key, i.ts, i.ends_at, i.value, i.version
      FROM users AS u
      JOIN core.interval AS i ON i.user_key = (%(walkers)s::int[])[1 + u.place %% greatest(cardinality(%(walkers)s::int[]), 1)]
     ORDER BY 1, 2, 4
), copied_windows AS (
  INSERT INTO core.worn_window (user_key, device_key, ts, ends_at, version)
    SELECT u.user_key, w.device_key, w.ts, w.ends_at, w.version
      FROM users AS u
      JOIN core.worn_window AS w ON w.user_key = (%(walkers)s::int[])[1 + u.place %% greatest(cardinality(%(walkers)s::int[]), 1)]
     WHERE %(is_worn)s
), series AS (
  INSERT INTO core.interval_series (user_key, metric_key, device_key, kind)
    SELECT u.user_key, %(metric)s, d.device_key, 0
      FROM users AS u
     CROSS JOIN unnest(%(counters)s::int[]) AS d (device_key)
    UNION
    SELECT u.user_key, s.metric_key, s.device_key, s.kind
      FROM users AS u
      JOIN core.interval_series AS s ON s.user_key = (%(walkers)s::int[])[1 + u.place %% greatest(cardinality(%(walkers)s::int[]), 1)]
), sample_series AS (
  INSERT INTO core.sample_series (user_key, metric_key, device_key)
    SELECT u.user_key, %(metric)s, d.device_key
      FROM users AS u
     CROSS JOIN unnest(%(counters)s::int[]) AS d (device_key)
     WHERE %(metric)s > 3
    UNION
    SELECT u.user_key, %(metric)s + k, d.device_key
      FROM users AS u
     CROSS JOIN unnest(%(samplers)s::int[]) AS d (device_key)
     CROSS JOIN generate_series(0, 2) AS k
)
INSERT INTO core.stale_day (user_key, day, quarters, sample_quarters)
  SELECT u.user_key, %(day)s::timestamptz, CASE WHEN %(metric)s > 3 THEN B'0'::bit(96) ELSE ~ B'0'::bit(96) END,
         CASE WHEN %(metric)s > 3 THEN ~ B'0'::bit(96) END
    FROM users AS u
