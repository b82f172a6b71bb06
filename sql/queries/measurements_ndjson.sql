-- A page of a user's readings, and of samples of the metrics asked for, of all where none is named, in a half-open range as a line of JSON
-- each, in order, after the cursor (ts, device_id).
COPY (
  SELECT row_to_json(o)
    FROM (
      SELECT %(user_id)s::text AS user_id, p.device_id, api_internal.iso_moment(p.ts) AS timestamp, p.heart_rate, p.steps, p.calories, p.metrics
        FROM api_internal.user_measurements(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz,
                                            %(metrics)s::text[], %(device_id)s::text, %(after_ts)s::timestamptz,
                                            %(after_device_id)s::text, %(limit)s) AS p
    ) AS o
-- JSON contains no control characters, so COPY never quotes a line.
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
