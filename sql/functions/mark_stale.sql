-- Days whose rollups are out of date from now on.
CREATE FUNCTION api.mark_stale(user_keys int[], timestamps timestamptz[]) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO core.stale_day AS s (user_key, day, version)
    SELECT t.user_key, t.day, nextval('core.stale_version')
      FROM (SELECT DISTINCT c.user_key, public.time_bucket(INTERVAL '24 hours', c.ts) AS day
              FROM unnest(user_keys, timestamps) AS c (user_key, ts)
             WHERE c.ts < (SELECT announced FROM core.horizon)
             -- One order for every writer, so that two of them cannot deadlock.
             ORDER BY 1, 2) AS t
     -- A day that no refresh has claimed is marked already: one that claims it now waits for this transaction to end.
     WHERE NOT EXISTS (SELECT FROM core.stale_day AS m
                        WHERE m.user_key = t.user_key AND m.day = t.day AND m.claimed IS DISTINCT FROM m.version)
  ON CONFLICT (user_key, day) DO UPDATE SET version = excluded.version
$$;

COMMENT ON FUNCTION api.mark_stale IS
  'Marks the days (UTC) of users at these moments as stale where they lie below the horizon, which api.hold_horizon must keep; readers take them from raw readings until they are refreshed.';
