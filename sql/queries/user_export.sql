-- All that is stored on a user as a line of JSON each: names, goals, readings in order, and what rollups alone still know of.
COPY (
  SELECT l.line
    FROM (SELECT u.user_key, u.registered_at FROM core.app_user AS u WHERE u.user_key = api_internal.find_user(%(tenant_id)s, %(user_id)s)) AS u
   CROSS JOIN (SELECT raw_from FROM core.horizon) AS h
   CROSS JOIN LATERAL (
     SELECT 1 AS part, NULL::timestamptz AS ts, NULL::text AS device_id,
            jsonb_build_object('kind', 'user', 'tenant_id', %(tenant_id)s::text, 'user_id', %(user_id)s::text,
                               'registered_at', api_internal.iso_moment(u.registered_at)) AS line
     UNION ALL
     SELECT 2, NULL, g.metric, jsonb_build_object('kind', 'goal', 'metric', g.metric, 'target', g.target)
       FROM core.goal AS g
      WHERE g.user_key = u.user_key
     UNION ALL
     -- Before raw_from retention has dropped readings: the last value of each metric, minutes of earlier releases, quarters of an hour.
     SELECT 3, v.ts, d.device_id,
            jsonb_build_object('kind', 'last_value', 'metric', v.metric, 'value', v.value, 'device_id', d.device_id,
                               'timestamp', api_internal.iso_moment(v.ts))
       FROM core.last_value AS v
       JOIN core.device AS d USING (device_key)
      WHERE v.user_key = u.user_key
     UNION ALL
     SELECT 4, m.bucket, d.device_id,
            jsonb_build_object('kind', 'minute', 'start', api_internal.iso_moment(m.bucket), 'device_id', d.device_id,
                               'heart_rate_count', m.heart_rate_count, 'heart_rate_avg', m.heart_rate_sum / (nullif(m.heart_rate_count, 0) * 1e6),
                               'heart_rate_min', m.heart_rate_min, 'heart_rate_max', m.heart_rate_max,
                               'steps', m.steps, 'calories', m.calories / 1e6)
       FROM core.kept_minute AS m
       JOIN core.device AS d USING (device_key)
      WHERE m.user_key = u.user_key
     UNION ALL
     SELECT 5, q.bucket, NULL,
            jsonb_build_object('kind', 'quarter_hour', 'start', api_internal.iso_moment(q.bucket),
                               'heart_rate_count', q.heart_rate_count, 'heart_rate_avg', q.heart_rate_sum / (nullif(q.heart_rate_count, 0) * 1e6),
                               'heart_rate_min', q.heart_rate_min, 'heart_rate_max', q.heart_rate_max,
                               'steps', q.steps, 'calories', q.calories / 1e6, 'worn_minutes', q.worn_minutes)
       FROM rollup.user_15m AS q
      WHERE q.user_key = u.user_key AND q.bucket < h.raw_from
     UNION ALL
     SELECT 6, r.ts, d.device_id,
            jsonb_build_object('kind', 'reading', 'device_id', d.device_id, 'timestamp', api_internal.iso_moment(r.ts),
                               'heart_rate', r.heart_rate, 'steps', r.steps, 'calories', r.calories)
       FROM core.reading AS r
       JOIN core.device AS d USING (device_key)
      WHERE r.user_key = u.user_key
   ) AS l
   ORDER BY l.part, l.ts, l.device_id
-- JSON contains no control characters, so COPY never quotes a line.
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
