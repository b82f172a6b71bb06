-- A user's readings in a half-open range as a line of JSON each, in order.
COPY (
  SELECT row_to_json(o)
    FROM (
      SELECT %(user_id)s::text AS user_id, d.device_id, api_internal.iso_moment(r.ts) AS timestamp, r.heart_rate, r.steps, r.calories
        FROM core.reading AS r
        JOIN core.device AS d USING (device_key)
       WHERE r.user_key = api_internal.find_user(%(tenant_id)s, %(user_id)s)
         AND (%(device_id)s::text IS NULL OR r.device_key = api_internal.find_device(%(tenant_id)s, %(device_id)s::text))
         AND r.ts >= %(start)s::timestamptz
         AND r.ts < %(end)s::timestamptz
       ORDER BY r.ts, d.device_id
    ) AS o
-- JSON contains no control characters, so COPY never quotes a line.
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
