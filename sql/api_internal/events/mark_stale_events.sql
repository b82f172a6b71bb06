-- Days whose event counts are out of date from now on.
CREATE FUNCTION api_internal.mark_stale_events(tenant_keys int[], timestamps timestamptz[]) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO core.stale_event_day AS s (tenant_key, day, version)
    SELECT t.tenant_key, t.day, nextval('core.stale_version')
      FROM (SELECT DISTINCT c.tenant_key, public.time_bucket(INTERVAL '24 hours', c.ts) AS day
              FROM unnest(tenant_keys, timestamps) AS c (tenant_key, ts)
             WHERE c.ts < (SELECT announced FROM core.horizon)
             -- One order for every writer, so that two of them cannot deadlock.
             ORDER BY 1, 2) AS t
  ON CONFLICT (tenant_key, day) DO UPDATE SET version = excluded.version
$$;

COMMENT ON FUNCTION api_internal.mark_stale_events IS
  'Marks the days (UTC) of tenants at these moments as stale where they lie below the horizon, which api_internal.hold_horizon must keep; readers count the events of those days until they are refreshed.';
