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
-- STABLE, so that marks, rollups and raw readings are read in one snapshot.
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  wanted_user   CONSTANT int := api_internal.find_user(summary.tenant_id, summary.user_id);
  wanted_device CONSTANT int := CASE WHEN summary.device_id IS NOT NULL
                                     THEN api_internal.find_device(summary.tenant_id, summary.device_id) END;
  parts api_internal.part[];
BEGIN
  IF wanted_user IS NOT NULL AND (summary.device_id IS NULL OR wanted_device IS NOT NULL) THEN
    SELECT array_agg((p.source, p.part_start, p.part_end, NULL)::api_internal.part), array_agg(DISTINCT p.source)
      INTO parts, sources
      FROM api_internal.route_range(wanted_user, range_start, range_end) AS p;
  END IF;
  RETURN QUERY
    SELECT coalesce(sum(r.heart_rate_count), 0)::bigint,
           api_internal.from_micro(sum(r.heart_rate_sum)::bigint, nullif(sum(r.heart_rate_count)::bigint, 0)),
           min(r.heart_rate_min), max(r.heart_rate_max), sum(r.steps)::bigint, api_internal.from_micro(sum(r.calories)::bigint),
           min(r.first_ts), max(r.last_ts), coalesce(sources, '{}')
      FROM api_internal.rows(wanted_user, wanted_device, parts) AS r;
END
$$;

COMMENT ON FUNCTION api.summary IS
  'One row: the aggregates of a user''s readings in range_start <= t < range_end, exact at every moment. Heart rate in beats per minute, calories in kilocalories; null where nothing was measured; first and last are null if the range has no reading. sources names the resolutions that answered.';
