-- Brings the aggregates over all users of a tenant up to date.
-- No SET clause: a procedure with one cannot commit.
CREATE PROCEDURE api_internal.refresh_populations(days timestamptz[])
LANGUAGE plpgsql AS $$
DECLARE
  piece record;
BEGIN
  FOR piece IN
    -- Adjacent days in one range, which ends at the horizon.
    SELECT l.name, i.range_start, least(i.range_end, public.time_bucket(l.width, h.materialized)) AS range_end
      FROM (SELECT min(d.day) AS range_start, max(d.day) + INTERVAL '24 hours' AS range_end
              FROM (SELECT d.day, d.day - row_number() OVER (ORDER BY d.day) * INTERVAL '24 hours' AS island
                      FROM (SELECT DISTINCT day FROM unnest(days) AS u (day)) AS d) AS d
             GROUP BY d.island) AS i
     CROSS JOIN core.horizon AS h
     CROSS JOIN (VALUES ('rollup.tenant_15m', INTERVAL '15 minutes'), ('rollup.tenant_1h', INTERVAL '1 hour'),
                        ('rollup.tenant_1d', INTERVAL '24 hours')) AS l (name, width)
     WHERE i.range_start < public.time_bucket(l.width, h.materialized)
     ORDER BY i.range_start DESC, l.width
  LOOP
    CALL public.refresh_continuous_aggregate(piece.name::regclass, piece.range_start, piece.range_end);
    COMMIT;
  END LOOP;
END
$$;

COMMENT ON PROCEDURE api_internal.refresh_populations IS
  'Refreshes the continuous aggregates of tenants for days (UTC) whose rollups of users have changed, up to the horizon; called by api.upkeep. A refresh computes whole ranges of time for all users, so it runs every hour, not with every late reading.';
