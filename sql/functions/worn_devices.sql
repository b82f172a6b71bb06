-- The devices that a user wore in a range.
CREATE FUNCTION api.worn_devices(tenant_id text, user_id text, range_start timestamptz, range_end timestamptz)
RETURNS TABLE (device_id text, name text, priority int)
LANGUAGE plpgsql STABLE
SET datestyle = 'ISO'
AS $$
#variable_conflict use_column
DECLARE
  wanted_user CONSTANT int := api.find_user(tenant_id, user_id);
BEGIN
  -- By skipping from one device to the next, since the readings of a device lie side by side. Literal bounds, so that
  -- chunks are excluded when it is planned.
  RETURN QUERY EXECUTE format(
    'WITH RECURSIVE worn AS (
       SELECT (SELECT r.device_key
                 FROM core.reading AS r
                WHERE r.user_key = %1$L AND r.ts >= %2$L AND r.ts < %3$L
                ORDER BY r.device_key
                LIMIT 1) AS device_key
       UNION ALL
       SELECT (SELECT r.device_key
                 FROM core.reading AS r
                WHERE r.user_key = %1$L AND r.device_key > w.device_key AND r.ts >= %2$L AND r.ts < %3$L
                ORDER BY r.device_key
                LIMIT 1)
         FROM worn AS w
        WHERE w.device_key IS NOT NULL
     )
     SELECT d.device_id, d.name, d.priority
       FROM (SELECT w.device_key FROM worn AS w
             UNION
             -- Where raw readings are gone, the quarters of an hour tell.
             SELECT coalesce(r.sole_device, b.device_key)
               FROM rollup.user_15m AS r
               LEFT JOIN rollup.device_15m AS b ON b.user_key = r.user_key AND b.bucket = r.bucket AND r.sole_device IS NULL
              WHERE r.user_key = %1$L AND r.bucket >= %4$L AND r.bucket < %5$L) AS w
       JOIN core.device AS d USING (device_key)
      ORDER BY d.priority, d.device_key', wanted_user, range_start, range_end,
    public.time_bucket(INTERVAL '15 minutes', range_start + INTERVAL '15 minutes' - INTERVAL '1 microsecond'),
    (SELECT public.time_bucket(INTERVAL '15 minutes', least(range_end, h.raw_from)) FROM core.horizon AS h));
END
$$;

COMMENT ON FUNCTION api.worn_devices IS
  'The devices that gave a user''s readings in range_start <= t < range_end, the best first: the smallest priority, then the one registered first. Where raw readings are gone, those of whole quarters of an hour.';
