-- As summary, with the end of the range included, since timestamps are whole microseconds.
SELECT *
  FROM api.summary(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz,
                   %(end)s::timestamptz + INTERVAL '1 microsecond')
