-- A page of a user's samples as a line of JSON each, in order, after the cursor (ts, device_id, metric).
COPY (
  SELECT jsonb_build_object('kind', 'sample', 'metric', s.metric, 'unit', s.unit, 'timestamp', api_internal.iso_moment(s.ts),
                            'device_id', s.device_id, 'value', s.value)
    FROM api_internal.user_samples(api_internal.find_user(%(tenant_id)s, %(user_id)s), %(after_ts)s::timestamptz,
                                   %(after_device_id)s::text, %(after_metric)s::text, %(limit)s) AS s
-- JSON contains no control characters, so COPY never quotes a line.
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
