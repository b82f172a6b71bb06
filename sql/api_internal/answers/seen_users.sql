-- A page of a tenant's users, and when each was last seen.
CREATE FUNCTION api_internal.seen_users(tenant_id text, after_user_id text DEFAULT NULL, most int DEFAULT 100)
RETURNS TABLE (user_id text, last_seen timestamptz)
-- STABLE, so that horizon, stale days, rollups and readings are read in one snapshot.
LANGUAGE plpgsql STABLE
-- The query's text contains timestamps, and only the ISO style is unambiguous.
SET datestyle = 'ISO'
AS $$
#variable_conflict use_column
DECLARE
  keys      int[];
  horizon   timestamptz;
  first_day timestamptz;
  last_day  timestamptz;
  raw       text;
  place     text;
BEGIN
  SELECT array_agg(p.user_key) INTO keys
    FROM (SELECT u.user_key
            FROM core.app_user AS u
            JOIN core.tenant AS t USING (tenant_key)
           WHERE t.tenant_id = seen_users.tenant_id AND (after_user_id IS NULL OR u.user_id > after_user_id)
           ORDER BY u.user_id
           LIMIT most) AS p;
  IF keys IS NULL THEN
    RETURN;
  END IF;

  -- Time above the horizon, and stale days. Literal bounds let the planner exclude chunks. Readings after now do not
  -- count, wherever the horizon is.
  SELECT least(h.materialized, public.time_bucket(INTERVAL '15 minutes', now())) INTO horizon FROM core.horizon AS h;
  raw := format('SELECT user_key, ts FROM core.reading WHERE user_key = ANY ($1) AND ts >= %L AND ts <= now()', horizon);
  SELECT min(s.day), max(s.day) INTO first_day, last_day FROM core.stale_day AS s
   WHERE s.user_key = ANY (keys) AND s.quarters <> B'0'::bit(96);
  IF first_day IS NOT NULL THEN
    -- Raw readings, and the minutes that are kept in place of dropped readings.
    FOREACH place IN ARRAY ARRAY['SELECT user_key, ts AS bucket, ts FROM core.reading',
                                 'SELECT user_key, bucket, last_ts FROM core.kept_minute'] LOOP
      raw := raw || format(' UNION ALL SELECT r.user_key, r.ts FROM core.stale_day AS s JOIN (%s) AS r (user_key, bucket, ts) '
                           'ON r.user_key = s.user_key AND r.bucket < s.day + INTERVAL ''24 hours'' '
                           'AND r.bucket >= s.day + (position(B''1'' IN s.quarters) - 1) * INTERVAL ''15 minutes'' '
                           'WHERE s.user_key = ANY ($1) AND s.quarters <> B''0''::bit(96) AND r.bucket >= %L AND r.bucket < %L',
                           place, first_day, least(last_day + INTERVAL '24 hours', horizon));
    END LOOP;
  END IF;

  RETURN QUERY EXECUTE format(
    'SELECT u.user_id, greatest(n.ts, o.last_ts, l.ts, i.ts)
       FROM core.app_user AS u
       LEFT JOIN (SELECT user_key, max(ts) AS ts FROM (%s) AS r GROUP BY user_key) AS n USING (user_key)
       LEFT JOIN LATERAL (
         SELECT r.last_ts
           FROM rollup.user_15m AS r
          WHERE r.user_key = u.user_key AND r.bucket < %L
            AND NOT EXISTS (SELECT FROM core.stale_day AS s
                             WHERE s.user_key = r.user_key
                               AND s.day = public.time_bucket(INTERVAL ''24 hours'', r.bucket)
                               AND get_bit(s.quarters, (extract(epoch FROM r.bucket - s.day) / 900)::int) = 1)
          ORDER BY r.bucket DESC
          LIMIT 1) AS o ON true
       LEFT JOIN LATERAL (SELECT max(l.ts) AS ts FROM api_internal.last_samples AS l WHERE l.user_key = u.user_key) AS l ON true
       LEFT JOIN LATERAL (%s) AS i ON true
      WHERE u.user_key = ANY ($1)
      ORDER BY u.user_id', raw, horizon,
    CASE WHEN EXISTS (SELECT FROM core.interval_series AS i WHERE i.user_key = ANY (keys) AND i.kind = 0)
         THEN 'SELECT max(i.seen_at) AS ts FROM api_internal.last_intervals AS i WHERE i.user_key = u.user_key'
         ELSE 'SELECT NULL::timestamptz AS ts' END) USING keys;
END
$$;

COMMENT ON FUNCTION api_internal.seen_users IS
  'A page of a tenant''s users in the order of their names, after a name if one is given, with the timestamp of each user''s latest reading or sample up to now, or of the last minute that an interval covers, exact at every moment; null without one. From rollup.user_15m below the horizon, and from raw readings above the horizon and for stale quarters; samples and intervals are looked up.';
