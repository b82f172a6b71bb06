-- A user's readings by bucket in a half-open range.
SELECT *
  FROM api.series(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz,
                  %(bucket)s, %(tz)s, %(max_points)s, %(device_id)s::text, %(fill)s)
 LIMIT %(limit)s
