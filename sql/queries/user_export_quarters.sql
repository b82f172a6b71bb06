-- A page of a user's quarters of an hour whose readings retention has dropped, as a line of JSON each, in order, after the cursor (ts).
COPY (
  SELECT jsonb_build_object('kind', 'quarter_hour', 'start', api_internal.iso_moment(q.bucket),
                            'heart_rate_count', q.heart_rate_count, 'heart_rate_avg', q.heart_rate_sum / (nullif(q.heart_rate_count, 0) * 1e6),
                            'heart_rate_min', q.heart_rate_min, 'heart_rate_max', q.heart_rate_max,
                            'steps', q.steps, 'calories', q.calories / 1e6, 'worn_minutes', q.worn_minutes)
    FROM rollup.user_15m AS q
   WHERE q.user_key = api_internal.find_user(%(tenant_id)s, %(user_id)s)
     AND q.bucket > coalesce(%(after_ts)s::timestamptz, '-infinity')
     AND q.bucket < (SELECT raw_from FROM core.horizon)
   ORDER BY q.bucket
   LIMIT %(limit)s
-- JSON contains no control characters, so COPY never quotes a line.
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
