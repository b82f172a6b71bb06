-- Each metric's latest value of a user, of readings and of the other metrics asked for, of all where none is named; null where there is none.
SELECT l.metric, NULL AS unit, l.value, l.ts, l.device_id, true AS of_readings, 0 AS item
  FROM api.latest(%(tenant_id)s, %(user_id)s) AS l
UNION ALL
SELECT m.name, m.unit, l.value, l.ts, l.device_id, false, m.metric_key
  FROM api_internal.find_metrics(%(tenant_id)s, coalesce(%(metrics)s::text[], api_internal.other_metrics(%(tenant_id)s, %(user_id)s))) AS m
  LEFT JOIN api.latest_samples(%(tenant_id)s, %(user_id)s) AS l ON l.metric = m.name
 ORDER BY item
