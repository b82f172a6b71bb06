-- Marks days whose event counts are out of date.
CREATE FUNCTION api_internal.mark_stale_events(tenant_keys int[], timestamps timestamptz[]) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO core.stale_event_day AS s (tenant_key, day, version)
    SELECT t.tenant_key, t.day, nextval('core.stale_version')
      FROM (SELECT DISTINCT c.tenant_key, public.time_bucket(INTERVAL '24 hours', c.ts) AS day
              FROM unnest(tenant_keys, timestamps) AS c (tenant_key, ts)
             WHERE c.ts < (SELECT announced FROM core.horizon)
             -- All writers use this order, so that they cannot deadlock.
             ORDER BY 1, 2) AS t
  ON CONFLICT (tenant_key, day) DO UPDATE SET version = excluded.version
$$;

COMMENT ON FUNCTION api_internal.mark_stale_events IS
  'Marks days (UTC) of tenants stale, given by timestamps, where they lie below the horizon, which the caller must hold by api_internal.hold_horizon; readers count the events of those days until a refresh.';
