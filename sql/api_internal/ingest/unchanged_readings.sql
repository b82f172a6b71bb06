-- Which of a batch of readings are stored already as they are.
CREATE FUNCTION api_internal.unchanged_readings(
  user_keys int[], device_keys int[], timestamps timestamptz[],
  heart_rates double precision[], steps int[], calories double precision[]
) RETURNS int[]
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_custom_plan
-- Nobody has counted a new chunk yet: taken for almost empty, it would be read as a whole.
SET enable_seqscan = off
SET enable_bitmapscan = off
-- There is one chunk to look into: nothing is left to exclude for each reading, which would cost ten times the look.
SET timescaledb.enable_runtime_exclusion = off
AS $$
DECLARE
  day       timestamptz;
  found     int[];
  unchanged int[] := '{}';
BEGIN
  -- Each look is planned, which takes 10 ms: where there are many, what writes the readings tells them apart sooner.
  IF (SELECT count(DISTINCT public.time_bucket(INTERVAL '24 hours', t.ts)) FROM unnest(timestamps) AS t (ts)) > 50 THEN
    RETURN unchanged;
  END IF;
  -- Day by day, so that each look is into one chunk.
  FOR day IN SELECT DISTINCT public.time_bucket(INTERVAL '24 hours', t.ts) FROM unnest(timestamps) AS t (ts) LOOP
    SELECT array_agg(i.item::int) INTO found
      FROM unnest(user_keys, device_keys, timestamps, heart_rates, steps, calories) WITH ORDINALITY
        AS i (user_key, device_key, ts, heart_rate, steps, calories, item)
     -- Readings are looked up by their key, one by one (that is what OFFSET keeps): a batch is small beside a chunk.
     CROSS JOIN LATERAL (
       SELECT r.heart_rate, r.steps, r.calories
         FROM core.reading AS r
        WHERE r.user_key = i.user_key AND r.device_key = i.device_key AND r.ts = i.ts
          AND r.ts >= day AND r.ts < day + INTERVAL '24 hours'
       OFFSET 0) AS r
     WHERE (i.heart_rate = r.heart_rate OR i.heart_rate IS NULL)
       AND (i.steps = r.steps OR i.steps IS NULL)
       AND (i.calories = r.calories OR i.calories IS NULL);
    unchanged := unchanged || found;
  END LOOP;
  RETURN unchanged;
END
$$;

COMMENT ON FUNCTION api_internal.unchanged_readings IS
  'Places, from 1, of the readings of a batch that are stored already with the same values, a null field standing for whatever is stored; none where the batch spreads over more than 50 days.';
