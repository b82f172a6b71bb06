-- A user's readings, and samples of the metrics asked for, of all where none is named, in a half-open range after the cursor (ts, device_id).
SELECT *
  FROM api_internal.user_measurements(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz, %(metrics)s::text[],
                                      %(device_id)s::text, %(after_ts)s::timestamptz, %(after_device_id)s::text, %(limit)s)
