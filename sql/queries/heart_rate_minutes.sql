-- One-minute averages of heart rate, both ends of the range included, of the best device that reported in each minute.
SELECT t AS bucket, heart_rate_avg AS heart_rate, heart_rate_device AS device_id
  FROM api.series(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz,
                  %(end)s::timestamptz + INTERVAL '1 microsecond', '1m', device_id => %(device_id)s::text) AS s
 WHERE heart_rate_count > 0
