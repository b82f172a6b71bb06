-- A page of a user's readings, and of samples and intervals of the metrics asked for, of all where none is named, in a half-open range as a
-- line of JSON each, in order, after the cursor (ts, device_id, ends_at, daily_total).
COPY (
  SELECT CASE WHEN p.ends_at IS NULL THEN o.line
              ELSE left(o.line, -1) || concat(',"end":', to_json(api_internal.iso_moment(p.ends_at)), CASE WHEN p.worn THEN ',"worn":true' END,
                                              CASE WHEN p.daily_total THEN ',"daily_total":true' END, '}') END
    FROM api_internal.user_measurements(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz,
                                        %(metrics)s::text[], %(device_id)s::text, true, %(after_ts)s::timestamptz,
                                        %(after_device_id)s::text, %(after_end)s::timestamptz, %(after_daily_total)s::boolean, %(limit)s) AS p
   CROSS JOIN LATERAL (
      SELECT row_to_json(f)::text AS line
        FROM (SELECT %(user_id)s::text AS user_id, p.device_id, api_internal.iso_moment(p.ts) AS timestamp, p.heart_rate, p.steps, p.calories,
                     p.metrics) AS f) AS o
-- JSON contains no control characters, so COPY never quotes a line.
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
