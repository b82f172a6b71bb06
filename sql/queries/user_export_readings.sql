-- A page of a user's readings as a line of JSON each, in order, after the cursor (ts, device_id).
COPY (
  SELECT jsonb_build_object('kind', 'reading', 'device_id', r.device_id, 'timestamp', api_internal.iso_moment(r.ts),
                            'heart_rate', r.heart_rate, 'steps', r.steps, 'calories', r.calories)
    FROM api_internal.user_readings(%(tenant_id)s, %(user_id)s, NULL, NULL, NULL,
                                    %(after_ts)s::timestamptz, %(after_device_id)s::text, %(limit)s) AS r
-- JSON contains no control characters, so COPY never quotes a line.
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
