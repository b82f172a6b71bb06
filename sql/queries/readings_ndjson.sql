-- A page of a user's readings in a half-open range as a line of JSON each, in order, after the cursor (ts, device_id).
COPY (
  SELECT row_to_json(o)
    FROM (
      SELECT %(user_id)s::text AS user_id, r.device_id, api_internal.iso_moment(r.ts) AS timestamp, r.heart_rate, r.steps, r.calories
        FROM api_internal.user_readings(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz, %(device_id)s::text,
                                        %(after_ts)s::timestamptz, %(after_device_id)s::text, %(limit)s) AS r
    ) AS o
-- JSON contains no control characters, so COPY never quotes a line.
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
