-- The last value of each metric of a user among the readings that retention has dropped, as a line of JSON each.
COPY (
  SELECT jsonb_build_object('kind', 'last_value', 'metric', v.metric, 'value', v.value, 'device_id', d.device_id,
                            'timestamp', api_internal.iso_moment(v.ts))
    FROM core.last_value AS v
    JOIN core.device AS d USING (device_key)
   WHERE v.user_key = api_internal.find_user(%(tenant_id)s, %(user_id)s)
   ORDER BY v.metric
-- JSON contains no control characters, so COPY never quotes a line.
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
