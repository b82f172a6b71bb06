-- What a writer of samples leaves for the refresh.
CREATE FUNCTION api_internal.mark_samples(user_keys int[], timestamps timestamptz[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  horizon CONSTANT timestamptz := (SELECT h.announced FROM core.horizon AS h);
  kept    CONSTANT timestamptz := (SELECT h.samples_from FROM core.horizon AS h);
  dropped CONSTANT timestamptz := (SELECT min(t.ts) FROM unnest(timestamps) AS t (ts) WHERE t.ts < kept);
BEGIN
  -- Only rollups are kept there: computed from this sample alone, they would lose all the dropped ones.
  IF dropped IS NOT NULL THEN
    RAISE EXCEPTION 'samples of % are gone', dropped
      USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = format('Retention has dropped samples and intervals before %s, and only rollups tell of them.', kept),
            HINT = 'Nothing can be written there any more.';
  END IF;
  WITH touched AS MATERIALIZED (
    SELECT DISTINCT c.user_key, public.time_bucket(INTERVAL '24 hours', c.ts) AS day, public.time_bucket(INTERVAL '1 hour', c.ts) AS hour
      FROM unnest(user_keys, timestamps) AS c (user_key, ts)
  ), marked AS (
    INSERT INTO core.stale_day (user_key, day, quarters, sample_quarters)
      SELECT t.user_key, t.day, B'0'::bit(96), bit_or(B'1111'::bit(96) >> (extract(epoch FROM t.hour - t.day) / 900)::int)
        FROM touched AS t
       WHERE t.hour < horizon
       GROUP BY t.user_key, t.day
  )
  INSERT INTO core.sample_day (day, user_key)
    SELECT DISTINCT t.day, t.user_key
      FROM touched AS t
     -- Also of what is below the horizon: its day is rolled up when the horizon passes the end.
     WHERE t.day + INTERVAL '24 hours' > horizon
       -- One index lookup for each: as an anti-join the planner would read the users of all days.
       AND (SELECT n.user_key FROM core.sample_day AS n WHERE n.day = t.day AND n.user_key = t.user_key LIMIT 1) IS NULL;
END
$$;

COMMENT ON FUNCTION api_internal.mark_samples IS
  'For a writer of samples that holds the horizon by api_internal.hold_horizon: given the users and timestamps of what it changed, marks the hours that begin below the horizon stale, and notes in core.sample_day which users have samples of days that the horizon has not passed. Fails where retention has dropped samples.';
