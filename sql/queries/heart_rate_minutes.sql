-- One-minute averages of heart rate from the best device of each minute, both ends of the range included.
SELECT t AS bucket, heart_rate_avg AS heart_rate, heart_rate_device AS device_id
  FROM api.series(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz,
                  %(end)s::timestamptz + INTERVAL '1 microsecond', '1m', device_id => %(device_id)s::text) AS s
 WHERE heart_rate_count > 0
