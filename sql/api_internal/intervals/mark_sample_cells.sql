-- Marks the hours that intervals of other metrics touch.
CREATE FUNCTION api_internal.mark_sample_cells(user_keys int[], starts timestamptz[], ends timestamptz[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM api_internal.mark_samples(array_agg(h.user_key), array_agg(h.hour))
     FROM (SELECT DISTINCT i.user_key, h.hour
             FROM unnest(user_keys, starts, ends) AS i (user_key, ts, ends_at)
            CROSS JOIN LATERAL generate_series(public.time_bucket(INTERVAL '1 hour', i.ts), i.ends_at - INTERVAL '1 microsecond',
                                               INTERVAL '1 hour') AS h (hour)) AS h
   HAVING count(*) > 0;
END
$$;

COMMENT ON FUNCTION api_internal.mark_sample_cells IS
  'Marks every hour (UTC) that intervals or worn windows overlap, given by user, start and end, as api_internal.mark_samples does, for the rollups of samples.';
