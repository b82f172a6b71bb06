-- A page of a user's readings, and of samples and intervals of the metrics asked for, in a half-open range as CSV, in order, without a header,
-- after the cursor (ts, device_id, ends_at, daily_total). A column of each of these metrics, and of what has an end, takes the place of the comment.
COPY (
  SELECT %(user_id)s::text, p.device_id, api_internal.iso_moment(p.ts), p.heart_rate, p.steps, p.calories /* columns */
    FROM (SELECT m.*,
                 m.metrics::jsonb || CASE WHEN m.ends_at IS NULL THEN '{}'
                                          ELSE jsonb_build_object('end', api_internal.iso_moment(m.ends_at), 'worn', nullif(m.worn, false),
                                                                  'daily_total', nullif(m.daily_total, false)) END AS samples
            FROM api_internal.user_measurements(%(tenant_id)s, %(user_id)s, %(start)s::timestamptz, %(end)s::timestamptz,
                                                %(metrics)s::text[], %(device_id)s::text, 'end' = ANY (%(columns)s::text[]),
                                                %(after_ts)s::timestamptz, %(after_device_id)s::text, %(after_end)s::timestamptz,
                                                %(after_daily_total)s::boolean, %(limit)s) AS m
          -- Parsed once for all columns.
          OFFSET 0) AS p
) TO STDOUT (FORMAT csv, ENCODING 'UTF8')
