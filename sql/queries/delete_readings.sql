-- Delete a range of a user's readings, samples and intervals: how many, and the first and the last of them.
SELECT deleted, samples, intervals, first_ts, last_ts
  FROM api.delete_readings(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz, %(device_id)s::text)
