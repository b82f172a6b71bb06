-- Marks the hours that intervals touch as stale.
CREATE FUNCTION api_internal.mark_cells(user_keys int[], starts timestamptz[], ends timestamptz[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  -- What lies above the horizon, as most does, is told apart before it is spread out.
  IF EXISTS (SELECT FROM unnest(starts) AS s (ts) WHERE public.time_bucket(INTERVAL '1 hour', s.ts) < (SELECT h.announced FROM core.horizon AS h)) THEN
    PERFORM api_internal.mark_stale(array_agg(q.user_key), array_agg(q.quarter))
       FROM (SELECT i.user_key, q.quarter
               FROM unnest(user_keys, starts, ends) AS i (user_key, ts, ends_at)
              CROSS JOIN LATERAL generate_series(
                public.time_bucket(INTERVAL '1 hour', i.ts),
                public.time_bucket(INTERVAL '1 hour', i.ends_at - INTERVAL '1 microsecond') + INTERVAL '45 minutes',
                INTERVAL '15 minutes') AS q (quarter)
              GROUP BY 1, 2) AS q;
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.mark_cells IS
  'Marks every quarter of an hour of every hour (UTC) that intervals overlap, given by user, start and end, as api_internal.mark_stale does: an interval concerns the whole hour.';
