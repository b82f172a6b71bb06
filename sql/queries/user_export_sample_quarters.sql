-- A page of a user's quarters of an hour whose samples and intervals retention has dropped, of every metric but heart_rate, steps and calories,
-- as a line of JSON each, in order, after the cursor (ts, metric).
COPY (
  SELECT jsonb_build_object('kind', 'sample_quarter_hour', 'start', api_internal.iso_moment(q.bucket), 'metric', m.name, 'unit', m.unit,
                            'count', q.samples, 'first', api_internal.iso_moment(q.first_ts), 'last', api_internal.iso_moment(q.last_ts))
         || CASE m.kind WHEN 'gauge' THEN jsonb_build_object('avg', q.total / (nullif(q.samples, 0) * 1e6), 'min', q.lowest, 'max', q.highest)
                        WHEN 'sum' THEN jsonb_build_object('total', q.total / 1e6)
                        ELSE jsonb_build_object('last_value', q.last_value) END
    FROM core.metric AS m
   CROSS JOIN LATERAL (
     -- One index lookup for each metric.
     SELECT r.*
       FROM rollup.sample_15m AS r
      WHERE r.user_key = api_internal.find_user(%(tenant_id)s, %(user_id)s) AND r.metric_key = m.metric_key
        AND r.bucket >= coalesce(%(after_ts)s::timestamptz, '-infinity')
        AND r.bucket < (SELECT samples_from FROM core.horizon)
        AND (%(after_ts)s::timestamptz IS NULL OR (r.bucket, m.name) > (%(after_ts)s::timestamptz, %(after_metric)s::text))
      ORDER BY r.bucket
      LIMIT %(limit)s) AS q
   WHERE m.metric_key IN (SELECT s.metric_key FROM core.sample_series AS s
                           WHERE s.user_key = api_internal.find_user(%(tenant_id)s, %(user_id)s))
   ORDER BY q.bucket, m.name
   LIMIT %(limit)s
-- JSON contains no control characters, so COPY never quotes a line.
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
