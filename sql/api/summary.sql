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
  IF parts IS NOT NULL AND EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = wanted_user AND i.kind = 2 AND i.metric_key < 4) THEN
    RETURN QUERY
      SELECT coalesce(sum(r.heart_rate_count), 0)::bigint,
             api_internal.from_micro(sum(r.heart_rate_sum)::bigint, nullif(sum(r.heart_rate_count)::bigint, 0)),
             min(r.heart_rate_min), max(r.heart_rate_max), sum(r.steps)::bigint, api_internal.from_micro(sum(r.calories)::bigint),
             min(r.first_ts), max(r.last_ts),
             CASE WHEN bool_or(r.is_daily_total) THEN array_append(sources, 'daily_total') ELSE sources END
        FROM (SELECT r.*, false AS is_daily_total FROM api_internal.rows(wanted_user, wanted_device, parts) AS r
              UNION ALL
              SELECT t.ts, t.ts, t.ts, NULL, 0, NULL, NULL, CASE t.metric_key WHEN 3 THEN t.amount END,
                     CASE t.metric_key WHEN 2 THEN t.amount / 1000000 END, NULL, true
                FROM api_internal.counted_totals(wanted_user, '{2,3}', range_start, range_end, wanted_device) AS t) AS r;
    RETURN;
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
  'One row: the aggregates of a user''s readings in range_start <= t < range_end, exact at every moment. Heart rate in beats per minute, calories in kilocalories; null where nothing was measured; first and last are null if the range has no reading. sources names the resolutions that answered, and daily_total where one counts.';
