-- A page of a user's readings, and of samples of the metrics asked for, in a half-open range as CSV, in order, without a header, after the
-- cursor (ts, device_id). A column of each of these metrics takes the place of the comment.
COPY (
  SELECT %(user_id)s::text, p.device_id, api_internal.iso_moment(p.ts), p.heart_rate, p.steps, p.calories /* columns */
    FROM (SELECT m.*, m.metrics::jsonb AS samples
            FROM api_internal.user_measurements(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz,
                                                %(metrics)s::text[], %(device_id)s::text, %(after_ts)s::timestamptz,
                                                %(after_device_id)s::text, %(limit)s) AS m
          -- Parsed once for all columns.
          OFFSET 0) AS p
) TO STDOUT (FORMAT csv, ENCODING 'UTF8')
