-- Samples and intervals of other metrics by bucket, straight from where they are stored: for questions and for refreshes.
CREATE FUNCTION api_internal.sample_buckets(
  user_keys int[], metric_keys int[], device_keys int[], starts timestamptz[], ends timestamptz[], width interval,
  of_devices boolean DEFAULT true
) RETURNS TABLE (
  user_key    int,
  metric_key  int,
  device_key  int,
  bucket      timestamptz,
  first_ts    timestamptz,
  last_ts     timestamptz,
  lowest      double precision,
  highest     double precision,
  last_value  double precision,
  samples     bigint,
  total       numeric,
  best_device int,
  sole_device int
)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET work_mem = '64MB'
AS $$
#variable_conflict use_column
DECLARE
  -- Users, of whom what a sum comes to may depend on everything in its hour.
  others int[] := ARRAY(SELECT DISTINCT s.user_key
                          FROM core.interval_series AS s
                         WHERE s.user_key = ANY (user_keys) AND s.kind < 2 AND (s.metric_key > 3 OR s.kind = 1));
  sums   int[] := CASE WHEN others <> '{}'
                       THEN ARRAY(SELECT m.metric_key FROM core.metric AS m WHERE m.metric_key = ANY (metric_keys) AND m.kind = 'sum')
                       ELSE '{}' END;
  plain  record;
  asked  record;
BEGIN
  IF sums = '{}' THEN
    RETURN QUERY SELECT * FROM api_internal.instant_buckets(user_keys, metric_keys, device_keys, starts, ends, width, of_devices);
    RETURN;
  END IF;
  SELECT array_agg(a.user_key) AS user_keys, array_agg(a.metric_key) AS metric_keys, array_agg(a.device_key) AS device_keys,
         array_agg(a.range_start) AS starts, array_agg(a.range_end) AS ends
    INTO plain
    FROM unnest(user_keys, metric_keys, device_keys, starts, ends) AS a (user_key, metric_key, device_key, range_start, range_end)
   WHERE NOT (a.user_key = ANY (others) AND a.metric_key = ANY (sums));
  IF plain.user_keys IS NOT NULL THEN
    RETURN QUERY
      SELECT * FROM api_internal.instant_buckets(plain.user_keys, plain.metric_keys, plain.device_keys, plain.starts, plain.ends, width, of_devices);
  END IF;
  FOR asked IN
    -- A question about one device sees nothing of the others.
    SELECT s.only_device, array_agg(a.user_key) AS user_keys, array_agg(a.metric_key) AS metric_keys, array_agg(a.device_key) AS device_keys,
           array_agg(a.range_start) AS starts, array_agg(a.range_end) AS ends
      FROM unnest(user_keys, metric_keys, device_keys, starts, ends) AS a (user_key, metric_key, device_key, range_start, range_end)
      JOIN (SELECT a.user_key, a.metric_key, CASE WHEN NOT of_devices AND min(a.device_key) = max(a.device_key) THEN min(a.device_key) END AS only_device
              FROM unnest(user_keys, metric_keys, device_keys) AS a (user_key, metric_key, device_key)
             GROUP BY 1, 2) AS s USING (user_key, metric_key)
     WHERE a.user_key = ANY (others) AND a.metric_key = ANY (sums)
     GROUP BY 1
  LOOP
    RETURN QUERY
      SELECT b.user_key, b.metric_key, b.device_key, b.bucket, b.first_ts, b.last_ts, 0::double precision, 0::double precision,
             0::double precision, b.samples, b.total, b.best_device, b.sole_device
        FROM api_internal.sum_buckets(asked.user_keys, asked.metric_keys, asked.device_keys, asked.starts, asked.ends, width, of_devices,
                                      asked.only_device) AS b;
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.sample_buckets IS
  'Samples, and intervals of metrics that are sums, by bucket of a width of whole minutes, of series (user, metric, device) in half-open ranges, given as arrays of one length; ranges of one series do not overlap. What counts is what api_internal.instant_buckets says where there are no intervals, with the same columns, else what api_internal.counted_minutes says. Of users with intervals or worn windows every bucket of a sum that several devices measure has rows of devices, and lowest, highest and last_value of sums are 0.';
