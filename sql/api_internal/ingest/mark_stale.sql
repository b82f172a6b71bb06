-- Marks quarters of an hour whose rollups are out of date.
CREATE FUNCTION api_internal.mark_stale(user_keys int[], timestamps timestamptz[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  horizon CONSTANT core.horizon := (SELECT h FROM core.horizon AS h);
  dropped CONSTANT timestamptz := (SELECT min(t.ts) FROM unnest(timestamps) AS t (ts) WHERE t.ts < horizon.raw_from);
BEGIN
  -- Only rollups are kept there: computed from this reading alone, they would lose all the dropped ones.
  IF dropped IS NOT NULL THEN
    RAISE EXCEPTION 'readings of % are gone', dropped
      USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = format('Retention has dropped raw readings before %s, and only rollups tell of them.', horizon.raw_from),
            HINT = 'Nothing can be written there any more.';
  END IF;
  INSERT INTO core.stale_day (user_key, day, quarters)
    SELECT q.user_key, q.day, bit_or(set_bit(B'0'::bit(96), (extract(epoch FROM q.quarter - q.day) / 900)::int, 1))
      FROM (SELECT DISTINCT c.user_key, public.time_bucket(INTERVAL '24 hours', c.ts) AS day,
                            public.time_bucket(INTERVAL '15 minutes', c.ts) AS quarter
              FROM unnest(user_keys, timestamps) AS c (user_key, ts)
             WHERE c.ts < horizon.announced) AS q
     GROUP BY q.user_key, q.day;
END
$$;

COMMENT ON FUNCTION api_internal.mark_stale IS
  'Marks quarters of an hour of users stale, given by timestamps, where they lie below the horizon, which the caller must hold by api_internal.hold_horizon; readers take them from raw readings until a refresh. Fails where retention has dropped raw readings.';
