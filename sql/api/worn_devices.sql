-- The devices that a user wore in a range.
CREATE FUNCTION api.worn_devices(tenant_id text, user_id text, range_start timestamptz, range_end timestamptz)
RETURNS TABLE (device_id text, name text, priority int, metrics jsonb)
-- STABLE, so that marks, rollups and raw readings are read in one snapshot.
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  wanted_user CONSTANT int := api_internal.find_user(tenant_id, user_id);
BEGIN
  RETURN QUERY
    WITH parts AS MATERIALIZED (
      SELECT p.* FROM api_internal.route_range(wanted_user, range_start, range_end) AS p WHERE wanted_user IS NOT NULL
    ), worn (device_key) AS (
      -- One index lookup for each part, which OFFSET enforces.
      SELECT r.sole_device
        FROM parts AS p
       CROSS JOIN LATERAL (SELECT r.* FROM rollup.user_1d AS r
                            WHERE r.user_key = wanted_user AND r.bucket >= p.part_start AND r.bucket < p.part_end OFFSET 0) AS r
       WHERE p.source = '1d'
      UNION
      SELECT r.device_key
        FROM parts AS p
       CROSS JOIN LATERAL (SELECT r.* FROM rollup.device_1d AS r
                            WHERE r.user_key = wanted_user AND r.bucket >= p.part_start AND r.bucket < p.part_end OFFSET 0) AS r
       WHERE p.source = '1d'
      UNION
      SELECT r.sole_device
        FROM parts AS p
       CROSS JOIN LATERAL (SELECT r.* FROM rollup.user_15m AS r
                            WHERE r.user_key = wanted_user AND r.bucket >= p.part_start AND r.bucket < p.part_end OFFSET 0) AS r
       WHERE p.source = '15m'
      UNION
      SELECT r.device_key
        FROM parts AS p
       CROSS JOIN LATERAL (SELECT r.* FROM rollup.device_15m AS r
                            WHERE r.user_key = wanted_user AND r.bucket >= p.part_start AND r.bucket < p.part_end OFFSET 0) AS r
       WHERE p.source = '15m'
      UNION
      SELECT r.device_key
        FROM api_internal.raw_readings(wanted_user, (SELECT range_agg(tstzrange(p.part_start, p.part_end)) FROM parts AS p
                                             WHERE p.source = 'raw')) AS r
      UNION
      SELECT i.device_key
        FROM api_internal.overlapping_intervals(wanted_user, '{2,3}', (SELECT range_agg(tstzrange(p.part_start, p.part_end)) FROM parts AS p
                                                               WHERE p.source = 'raw')) AS i
       WHERE api_internal.has_intervals(wanted_user)
    )
    SELECT d.device_id, d.name, d.priority,
           coalesce((SELECT jsonb_object_agg(m.name, p.priority)
                       FROM jsonb_each(d.metric_priorities) AS p (metric_key, priority)
                       JOIN core.metric AS m ON m.metric_key = p.metric_key::int), '{}')
      FROM worn AS w
      JOIN core.device AS d USING (device_key)
     ORDER BY d.priority, d.device_key;
END
$$;

COMMENT ON FUNCTION api.worn_devices IS
  'The devices that gave a user''s readings, and intervals of steps and calories, in range_start <= t < range_end, the best first: by smallest priority, then by registration, with priorities of single metrics by name. Where retention has dropped raw readings, the devices of whole quarters of an hour.';
