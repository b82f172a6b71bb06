-- A user's readings, and samples and intervals of the metrics asked for, of all where none is named, in a half-open range after the cursor
-- (ts, device_id, ends_at, daily_total).
SELECT *
  FROM api_internal.user_measurements(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz, %(metrics)s::text[],
                                      %(device_id)s::text, true, %(after_ts)s::timestamptz, %(after_device_id)s::text,
                                      %(after_end)s::timestamptz, %(after_daily_total)s::boolean, %(limit)s)
