-- One-minute averages of heart rate, both ends of the range included, of the best device that reported in each minute.
SELECT m.bucket, api.from_micro(m.heart_rate_sum, m.heart_rate_count) AS heart_rate, d.device_id
  FROM api.minutes(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz,
                   %(end)s::timestamptz + INTERVAL '1 microsecond', %(device_id)s::text) AS m
  JOIN core.device AS d ON d.device_key = m.heart_rate_device
 ORDER BY m.bucket
