-- A user's readings by bucket in a half-open range and, in one snapshot, the other metrics asked for, of all where none is named: for each
-- bucket a row of readings, if there are, and one for each metric with a value. With bucket=raw for each moment and device.
WITH readings AS (
  SELECT CASE %(bucket)s WHEN 'raw' THEN s.heart_rate_device END AS whose, s.*
    FROM api.series(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz,
                    %(bucket)s, %(tz)s, %(max_points)s, %(device_id)s::text, %(fill)s) AS s
   LIMIT %(limit)s
), others AS (
  SELECT CASE %(bucket)s WHEN 'raw' THEN m.sole_device END AS whose, m.*
    FROM api.metric_series(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz,
                           coalesce(%(metrics)s::text[], api_internal.other_metrics(%(tenant_id)s, %(user_id)s)),
                           %(bucket)s, %(tz)s, %(max_points)s, %(device_id)s::text) WITH ORDINALITY AS m
   LIMIT %(limit)s
)
SELECT p.*, (SELECT r.sources FROM readings AS r LIMIT 1) AS sources, (SELECT count(*) FROM readings) AS readings_found,
       (SELECT count(*) FROM others) AS others_found,
       (SELECT api_internal.sample_sources(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz, %(metrics)s::text[],
                                           %(device_id)s::text, %(bucket)s, %(tz)s)) AS other_sources
  FROM (SELECT r.t, r.whose, 0 AS item, r.heart_rate_count, r.heart_rate_avg, r.heart_rate_min, r.heart_rate_max,
               r.heart_rate_device, r.steps, r.calories, NULL AS metric, NULL AS unit, NULL AS kind, NULL AS count, NULL AS avg,
               NULL AS min, NULL AS max, NULL AS total, NULL AS last_value, NULL AS sole_device
          FROM readings AS r
        UNION ALL
        SELECT o.t, o.whose, o.ordinality, NULL, NULL, NULL, NULL, NULL, NULL, NULL, o.metric, o.unit, o.kind, o.count, o.avg, o.min, o.max,
               o.total, o.last, o.sole_device
          FROM others AS o) AS p
 ORDER BY p.t, p.whose COLLATE "C", p.item
