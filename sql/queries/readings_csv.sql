-- A user's readings in a half-open range as CSV, in order, without a header.
COPY (
  SELECT %(user_id)s::text, d.device_id, api_internal.iso_moment(r.ts), r.heart_rate, r.steps, r.calories
    FROM core.reading AS r
    JOIN core.device AS d USING (device_key)
   WHERE r.user_key = api_internal.find_user(%(tenant_id)s, %(user_id)s)
     AND (%(device_id)s::text IS NULL OR r.device_key = api_internal.find_device(%(tenant_id)s, %(device_id)s::text))
     AND r.ts >= %(start)s::timestamptz
     AND r.ts < %(end)s::timestamptz
   ORDER BY r.ts, d.device_id
) TO STDOUT (FORMAT csv, ENCODING 'UTF8')
