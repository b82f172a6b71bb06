-- A page of a user's readings in a half-open range as CSV, in order, without a header, after the cursor (ts, device_id).
COPY (
  SELECT %(user_id)s::text, r.device_id, api_internal.iso_moment(r.ts), r.heart_rate, r.steps, r.calories
    FROM api_internal.user_readings(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz, %(device_id)s::text,
                                    %(after_ts)s::timestamptz, %(after_device_id)s::text, %(limit)s) AS r
) TO STDOUT (FORMAT csv, ENCODING 'UTF8')
