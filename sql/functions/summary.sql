-- Exact aggregates of a user over any range.
CREATE FUNCTION api.summary(
  tenant_id text, user_id text, range_start timestamptz, range_end timestamptz, device_id text DEFAULT NULL
) RETURNS TABLE (
  heart_rate_count bigint,
  heart_rate_avg   double precision,
  heart_rate_min   double precision,
  heart_rate_max   double precision,
  steps            bigint,
  calories         double precision,
  first            timestamptz,
  last             timestamptz,
  sources          text[]
)
-- STABLE: router, rollups and raw readings are then read in one snapshot.
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- Moments are written into a query's text, and other styles write them with names of zones that mean several.
SET datestyle = 'ISO'
AS $$
DECLARE
  user_key   CONSTANT int := api.find_user(tenant_id, user_id);
  device_key CONSTANT int := api.find_device(tenant_id, device_id);
  rows_query text;
BEGIN
  IF user_key IS NOT NULL AND (device_id IS NULL OR device_key IS NOT NULL) THEN
    SELECT q.query, q.sources INTO rows_query, sources
      FROM api.rows_query(user_key, device_key, range_start, range_end, '1d') AS q;
  END IF;
  IF rows_query IS NULL THEN
    RETURN QUERY SELECT 0::bigint, NULL::float8, NULL::float8, NULL::float8, NULL::bigint, NULL::float8,
                        NULL::timestamptz, NULL::timestamptz, ARRAY[]::text[];
    RETURN;
  END IF;
  RETURN QUERY EXECUTE
    'SELECT coalesce(sum(heart_rate_count), 0)::bigint,
            api.from_micro(sum(heart_rate_sum)::bigint, nullif(sum(heart_rate_count)::bigint, 0)),
            min(heart_rate_min), max(heart_rate_max), sum(steps)::bigint, api.from_micro(sum(calories)::bigint),
            min(first_ts), max(last_ts), $1
       FROM (' || rows_query || ') AS r' USING sources;
END
$$;

COMMENT ON FUNCTION api.summary IS
  'One row: what a user''s readings in range_start <= t < range_end come to, exactly. Heart rate in beats per minute, calories in kilocalories; null where nothing was measured; first and last are null when the range holds no reading. sources names the resolutions that answered.';
