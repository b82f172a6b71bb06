-- Which of a batch of readings are stored already as they are.
CREATE FUNCTION api.unchanged_readings(
  user_keys int[], device_keys int[], timestamps timestamptz[],
  heart_rates double precision[], steps int[], calories double precision[]
) RETURNS int[]
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_custom_plan
-- Readings are looked up by their key, one by one: a batch is small beside a chunk.
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
  day       timestamptz;
  found     int[];
  unchanged int[] := '{}';
BEGIN
  -- Day by day, so that each look is into one chunk.
  FOR day IN SELECT DISTINCT public.time_bucket(INTERVAL '24 hours', t.ts) FROM unnest(timestamps) AS t (ts) LOOP
    SELECT array_agg(i.item::int) INTO found
      FROM unnest(user_keys, device_keys, timestamps, heart_rates, steps, calories) WITH ORDINALITY
        AS i (user_key, device_key, ts, heart_rate, steps, calories, item)
      JOIN core.reading AS r USING (user_key, device_key, ts)
     WHERE r.ts >= day AND r.ts < day + INTERVAL '24 hours'
       AND (i.heart_rate = r.heart_rate OR i.heart_rate IS NULL)
       AND (i.steps = r.steps OR i.steps IS NULL)
       AND (i.calories = r.calories OR i.calories IS NULL);
    unchanged := unchanged || found;
  END LOOP;
  RETURN unchanged;
END
$$;

COMMENT ON FUNCTION api.unchanged_readings IS
  'Places, from 1, of the readings of a batch that are stored already with the same values, a null field standing for whatever is stored.';
