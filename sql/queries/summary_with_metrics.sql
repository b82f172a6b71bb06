-- The aggregates of a user's readings in a half-open range, once for each other metric asked for, of all where none is named; one row without any.
SELECT s.*, m.metric, m.unit, m.kind, m.count, m.avg, m.min, m.max, m.total, m.last AS last_value, m.first_ts, m.last_ts,
       (SELECT api_internal.sample_sources(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz, %(metrics)s::text[],
                                           %(device_id)s::text)) AS other_sources
  FROM api.summary(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz, %(device_id)s::text) AS s
  LEFT JOIN api.metric_summary(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz,
                               coalesce(%(metrics)s::text[], api_internal.other_metrics(%(tenant_id)s, %(user_id)s)),
                               %(device_id)s::text) WITH ORDINALITY AS m ON true
 ORDER BY m.ordinality
