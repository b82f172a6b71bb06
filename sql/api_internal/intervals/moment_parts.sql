-- What devices measured at moments, minute by minute, of many users.
CREATE FUNCTION api_internal.moment_parts(user_keys int[], metric_keys int[], device_keys int[], hours timestamptz[])
RETURNS SETOF api_internal.cell_part
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
SET work_mem = '64MB'
AS $$
DECLARE
  others record;
  first_hour CONSTANT timestamptz := (SELECT min(h) FROM unnest(hours) AS h);
BEGIN
  SELECT array_agg(a.user_key) AS user_keys, array_agg(a.metric_key) AS metric_keys, array_agg(a.device_key) AS device_keys,
         array_agg(a.hour) AS starts, array_agg(a.hour + INTERVAL '1 hour') AS ends
    INTO others
    FROM unnest(user_keys, metric_keys, device_keys, hours) AS a (user_key, metric_key, device_key, hour)
   WHERE a.metric_key > 3;
  IF others.user_keys IS NOT NULL THEN
    RETURN QUERY
      SELECT * FROM api_internal.sample_parts(others.user_keys, others.metric_keys, others.device_keys, others.starts, others.ends, INTERVAL '1 minute');
  END IF;
  IF 3 >= ANY (metric_keys) THEN
    -- Literal bounds let the planner exclude chunks.
    RETURN QUERY EXECUTE format(
      'SELECT r.minute, r.first_ts, r.last_ts, 1::bigint << date_part(''minute'', r.minute AT TIME ZONE ''UTC'')::int, 0::bigint,
              a.user_key, m.metric_key, a.device_key, m.total
         FROM (SELECT a.user_key, a.device_key, a.hour, array_agg(a.metric_key) AS metric_keys
                 FROM unnest($1, $2, $3, $4) AS a (user_key, metric_key, device_key, hour)
                WHERE a.metric_key < 4
                GROUP BY 1, 2, 3) AS a
        -- One index lookup for each device and hour, which OFFSET enforces.
        CROSS JOIN LATERAL (
          SELECT public.time_bucket(INTERVAL ''1 minute'', r.bucket) AS minute, min(r.first_ts) AS first_ts, max(r.last_ts) AS last_ts,
                 sum(r.steps) * 1000000 AS steps, sum(r.calories) AS calories
            FROM api_internal.%I AS r
           WHERE r.user_key = a.user_key AND r.device_key = a.device_key AND r.bucket >= a.hour AND r.bucket < a.hour + INTERVAL ''1 hour''
             AND r.bucket >= %L AND r.bucket < %L
           GROUP BY 1
          OFFSET 0) AS r
        CROSS JOIN LATERAL (VALUES (2, r.steps::numeric), (3, r.calories::numeric)) AS m (metric_key, total)
        WHERE m.total IS NOT NULL AND m.metric_key = ANY (a.metric_keys)',
      api_internal.raw_source(first_hour), first_hour, (SELECT max(h) FROM unnest(hours) AS h) + INTERVAL '1 hour')
      USING user_keys, metric_keys, device_keys, hours;
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.moment_parts IS
  'What devices of users measured at the moments of whole hours, by metric and minute, given as arrays of one length: from readings and from samples. Of readings samples is 0.';
