-- The aggregates of a user's readings in a half-open range; one row.
SELECT *
  FROM api.summary(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz, %(device_id)s::text)
