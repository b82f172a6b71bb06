-- Single intervals of many users, planned separately.
CREATE FUNCTION api_internal.short_intervals(user_keys int[], metric_keys int[], device_keys int[], buckets timestamptz[], width interval)
RETURNS TABLE (user_key int, metric_key int, device_key int, bucket timestamptz, ts timestamptz, ends_at timestamptz, whole bigint, grain int)
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
AS $$
BEGIN
  IF user_keys IS NULL THEN
    RETURN;
  END IF;
  -- Literal bounds let the planner exclude chunks.
  RETURN QUERY EXECUTE format(
    'SELECT s.user_key, s.metric_key, s.device_key, s.bucket, i.ts, i.ends_at, round(i.value * CASE WHEN m.is_whole THEN 1 ELSE 1e6 END)::bigint,
            CASE WHEN m.is_whole THEN 1000000 ELSE 1 END
       FROM unnest($1, $2, $3, $4) AS s (user_key, metric_key, device_key, bucket)
       JOIN core.metric AS m USING (metric_key)
      CROSS JOIN LATERAL (
        SELECT i.ts, i.ends_at, i.value
          FROM core.interval AS i
         WHERE i.user_key = s.user_key AND i.metric_key = s.metric_key AND i.device_key = s.device_key
           AND i.ts >= s.bucket AND i.ts < s.bucket + $5 AND i.ends_at <= s.bucket + $5 AND i.ends_at - i.ts <= INTERVAL ''5 minutes''
           AND i.ts >= %L AND i.ts < %L
        OFFSET 0) AS i',
    (SELECT min(b) FROM unnest(buckets) AS b), (SELECT max(b) FROM unnest(buckets) AS b) + width)
    USING user_keys, metric_keys, device_keys, buckets, width;
END
$$;

COMMENT ON FUNCTION api_internal.short_intervals IS
  'The intervals that api_internal.interval_blocks adds up, one by one, of buckets of series (user, metric, device), given as arrays of one length.';
