-- A page of a user's intervals, worn windows and daily totals as a line of JSON each, in order, after the cursor (ts, device_id, kind, metric).
COPY (
  SELECT jsonb_build_object('kind', i.kind, 'timestamp', api_internal.iso_moment(i.ts), 'end', api_internal.iso_moment(i.ends_at),
                            'device_id', i.device_id)
         || CASE i.kind WHEN 'worn_window' THEN '{}'
                        ELSE jsonb_build_object('metric', i.metric, 'unit', i.unit, 'value', i.value) END
    FROM api_internal.user_intervals(api_internal.find_user(%(tenant_id)s, %(user_id)s), %(after_ts)s::timestamptz,
                                     %(after_device_id)s::text, %(after_kind)s::text, %(after_metric)s::text, %(limit)s) AS i
-- JSON contains no control characters, so COPY never quotes a line.
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
