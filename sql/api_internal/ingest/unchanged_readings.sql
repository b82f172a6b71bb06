-- The readings of a batch that are already stored with the same values.
CREATE FUNCTION api_internal.unchanged_readings(
  user_keys int[], device_keys int[], timestamps timestamptz[],
  heart_rates double precision[], steps int[], calories double precision[]
) RETURNS int[]
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_custom_plan
-- A new chunk has no statistics yet, and the planner would scan it as almost empty.
SET enable_seqscan = off
SET enable_bitmapscan = off
-- The lookup reads a single chunk, and runtime exclusion for each reading would cost ten times as much as the lookup.
SET timescaledb.enable_runtime_exclusion = off
AS $$
DECLARE
  day       timestamptz;
  found     int[];
  unchanged int[] := '{}';
BEGIN
  -- Planning takes 10 ms for each day: for many days the upsert finds unchanged readings sooner.
  IF (SELECT count(DISTINCT public.time_bucket(INTERVAL '24 hours', t.ts)) FROM unnest(timestamps) AS t (ts)) > 50 THEN
    RETURN unchanged;
  END IF;
  -- Day by day, so that each lookup reads one chunk.
  FOR day IN SELECT DISTINCT public.time_bucket(INTERVAL '24 hours', t.ts) FROM unnest(timestamps) AS t (ts) LOOP
    SELECT array_agg(i.item::int) INTO found
      FROM unnest(user_keys, device_keys, timestamps, heart_rates, steps, calories) WITH ORDINALITY
        AS i (user_key, device_key, ts, heart_rate, steps, calories, item)
     -- One index lookup for each reading, which OFFSET enforces: a batch is small compared with a chunk.
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
  'Positions, from 1, of the readings of a batch that are already stored with the same values, where a null field matches any value; none if the batch spans more than 50 days.';
