-- What a user's metric that is a sum comes to by bucket, with its intervals.
CREATE FUNCTION api_internal.counted_buckets(
  user_key int, metric_key int, device_keys int[], ranges tstzmultirange, width interval, only_device int
) RETURNS TABLE (
  bucket      timestamptz,
  first_ts    timestamptz,
  last_ts     timestamptz,
  samples     bigint,
  total       numeric,
  best_device int
)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_nestloop = off
AS $$
#variable_conflict use_column
DECLARE
  finite CONSTANT tstzmultirange := ranges * tstzmultirange(tstzrange('4713-01-02 00:00:00Z BC', '100000-01-01 00:00:00Z'));
BEGIN
  IF isempty(finite) THEN
    RETURN;
  END IF;
  RETURN QUERY
    WITH counted AS MATERIALIZED (
      SELECT c.* FROM api_internal.counted_minutes(counted_buckets.user_key, ARRAY[counted_buckets.metric_key], finite, only_device) AS c
    )
    SELECT public.time_bucket(width, m.bucket), min(m.first_ts), max(m.last_ts), sum(m.samples)::bigint, sum(m.total),
           CASE WHEN count(m.best_device) = count(*) AND min(m.best_device) = max(m.best_device) THEN min(m.best_device) END
      FROM (SELECT c.bucket, c.first_ts, c.last_ts, c.samples, c.amount AS total, c.sole_device AS best_device FROM counted AS c
            UNION ALL
            -- Hours that no interval and no worn window touches.
            SELECT i.bucket, i.first_ts, i.last_ts, i.samples, i.total, i.best_device
              FROM (SELECT array_agg(counted_buckets.user_key) AS user_keys, array_agg(counted_buckets.metric_key) AS metric_keys,
                           array_agg(d.device_key) AS device_keys, array_agg(lower(r.range)) AS starts, array_agg(upper(r.range)) AS ends
                      FROM unnest(device_keys) AS d (device_key)
                     CROSS JOIN unnest(finite) AS r (range)) AS a
             CROSS JOIN LATERAL api_internal.instant_buckets(a.user_keys, a.metric_keys, a.device_keys, a.starts, a.ends,
                                                             INTERVAL '1 minute', false) AS i
             WHERE NOT EXISTS (SELECT FROM counted AS c WHERE c.bucket = i.bucket)) AS m
     GROUP BY 1;
END
$$;

COMMENT ON FUNCTION api_internal.counted_buckets IS
  'What a user''s metric that is a sum and no metric of readings comes to in half-open ranges, by bucket of a width of whole minutes, in whole millionths: by api_internal.counted_minutes in hours that intervals or worn windows touch, else by api_internal.instant_buckets, of the given devices. best_device won every minute, null for several; only_device selects one, of which everything counts.';
