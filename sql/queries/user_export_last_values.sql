-- The last value of each metric of a user among what retention has dropped, of samples and intervals by each device, as a line of JSON each.
COPY (
  SELECT jsonb_build_object('kind', 'last_value', 'metric', v.metric, 'value', v.value, 'device_id', d.device_id,
                            'timestamp', api_internal.iso_moment(v.ts))
         || CASE WHEN v.seen_at IS NULL THEN '{}' ELSE jsonb_build_object('last_minute', api_internal.iso_moment(v.seen_at)) END
    FROM (SELECT v.user_key, v.metric, v.device_key, v.ts, v.value, NULL::timestamptz AS seen_at FROM core.last_value AS v
          UNION ALL
          SELECT k.user_key, m.name, k.device_key, k.ts, k.value, CASE WHEN k.is_interval THEN k.seen_at END
            FROM core.kept_value AS k
            JOIN core.metric AS m USING (metric_key)) AS v
    JOIN core.device AS d USING (device_key)
   WHERE v.user_key = api_internal.find_user(%(tenant_id)s, %(user_id)s)
   ORDER BY v.metric, v.ts, d.device_id
-- JSON contains no control characters, so COPY never quotes a line.
) TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
