-- A page of the minutes that an earlier release kept of a user, as a line of JSON each, in order, after the cursor (ts, device_id).
COPY (
  SELECT jsonb_build_object('kind', 'minute', 'start', api_internal.iso_moment(m.bucket), 'device_id', d.device_id,
                            'heart_rate_count', m.heart_rate_count, 'heart_rate_avg', m.heart_rate_sum / (nullif(m.heart_rate_count, 0) * 1e6),
                            'heart_rate_min', m.heart_rate_min, 'heart_rate_max', m.heart_rate_max,
                            'steps', m.steps, 'calories', m.calories / 1e6)
    FROM core.kept_minute AS m
    JOIN core.device AS d USING (device_key)
   WHERE m.user_key = api_internal.find_user(%(tenant_id)s, %(user_id)s)
     AND m.bucket >= coalesce(%(after_ts)s::timestamptz, '-infinity')
     AND (%(after_ts)s::timestamptz IS NULL OR (m.bucket, d.device_id) > (%(after_ts)s::timestamptz, %(after_device_id)s::text))
   ORDER BY m.bucket, d.device_id
   LIMIT %(limit)s
-- JSON contains no control characters, so COPY never quotes a line.
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
