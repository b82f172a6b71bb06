-- All users, and when each was last seen.
CREATE VIEW api.last_seen WITH (security_barrier) AS
  WITH border AS (
    -- Readings after now do not count, wherever the horizon is.
    SELECT least(h.materialized, public.time_bucket(INTERVAL '15 minutes', now())) AS moment FROM core.horizon AS h
  )
  SELECT t.tenant_id,
         u.user_id,
         u.registered_at,
         greatest(o.last_ts, n.last_ts, s.last_ts, l.last_ts, i.last_ts) AS last_seen
    FROM api_internal.visible_tenant AS t
    JOIN core.app_user AS u ON u.tenant_key = t.tenant_key
   -- Looked up for each user: the last quarter in the rollup, readings above the horizon, stale quarters, samples, and intervals.
   CROSS JOIN LATERAL (
      SELECT (SELECT r.last_ts
                FROM rollup.user_15m AS r
               WHERE r.user_key = u.user_key AND r.bucket < (SELECT b.moment FROM border AS b)
                 AND NOT EXISTS (SELECT FROM core.stale_day AS s
                                  WHERE s.user_key = r.user_key AND s.day = public.time_bucket(INTERVAL '24 hours', r.bucket)
                                    AND get_bit(s.quarters, (date_part('epoch', r.bucket - s.day) / 900)::int) = 1)
               ORDER BY r.bucket DESC
               LIMIT 1) AS last_ts) AS o
   CROSS JOIN LATERAL (
      SELECT max(r.ts) AS last_ts
        FROM core.reading AS r
       WHERE r.user_key = u.user_key AND r.ts >= (SELECT b.moment FROM border AS b) AND r.ts <= now()) AS n
   CROSS JOIN LATERAL (
      SELECT max(r.last_ts) AS last_ts
        FROM core.stale_day AS s
       CROSS JOIN LATERAL (
          SELECT r.last_ts
            FROM api_internal.raw_rows AS r
           WHERE r.user_key = s.user_key AND r.bucket >= s.day + (position(B'1' IN s.quarters) - 1) * INTERVAL '15 minutes'
             AND r.bucket < least(s.day + INTERVAL '24 hours', (SELECT b.moment FROM border AS b))
           ORDER BY r.bucket DESC
           LIMIT 1) AS r
       WHERE s.user_key = u.user_key AND s.quarters <> B'0'::bit(96)) AS s
   CROSS JOIN LATERAL (
      SELECT max(l.ts) AS last_ts FROM api_internal.last_samples AS l WHERE l.user_key = u.user_key) AS l
   CROSS JOIN LATERAL (
      SELECT max(i.seen_at) AS last_ts FROM api_internal.last_intervals AS i WHERE i.user_key = u.user_key) AS i;

COMMENT ON VIEW api.last_seen IS
  'All users, and when each was last seen, exact at every moment. Replaces min, max and count(DISTINCT user_id) over a view of readings, which would read all of them.';
COMMENT ON COLUMN api.last_seen.tenant_id IS 'The tenant of the user; two tenants may have users of the same name.';
COMMENT ON COLUMN api.last_seen.user_id IS 'The user, within the tenant.';
COMMENT ON COLUMN api.last_seen.registered_at IS 'When the user''s first reading or sample arrived.';
COMMENT ON COLUMN api.last_seen.last_seen IS 'The timestamp of the latest reading or sample up to now, or the start of the last minute that an interval covers; null without one.';
