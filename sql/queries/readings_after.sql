-- A user's readings in a half-open range after the cursor (ts, device_id).
SELECT *
  FROM api_internal.user_readings(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz, %(device_id)s::text,
                         %(after_ts)s::timestamptz, %(after_device_id)s::text, %(limit)s)
