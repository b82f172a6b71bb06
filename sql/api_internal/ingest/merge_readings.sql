-- The merge lane: stores new and existing readings, given by key.
CREATE FUNCTION api_internal.merge_readings(
  user_keys int[], device_keys int[], timestamps timestamptz[],
  heart_rates double precision[], steps int[], calories double precision[],
  OUT inserted int[], OUT updated int[]
)
LANGUAGE plpgsql
-- A generic plan assumes short arrays and joins them by nested loops.
SET plan_cache_mode = force_custom_plan
-- A late upload may touch any number of compressed readings.
SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0
AS $$
DECLARE
  -- Most repeated readings are unchanged: looking them up costs less than an upsert, which locks each row.
  unchanged CONSTANT int[] := api_internal.unchanged_readings(user_keys, device_keys, timestamps, heart_rates, steps, calories);
BEGIN
  inserted := '{}';
  updated := '{}';
  IF cardinality(unchanged) = cardinality(timestamps) THEN
    PERFORM api_internal.confirm_stored();
    RETURN;
  END IF;

  WITH incoming AS (
    SELECT *
      FROM unnest(user_keys, device_keys, timestamps, heart_rates, steps, calories) WITH ORDINALITY
        AS i (user_key, device_key, ts, heart_rate, steps, calories, item)
     -- Not `<> ALL`, after which the planner expects a single row and joins by nested loops.
     WHERE NOT EXISTS (SELECT FROM unnest(unchanged) AS u (item) WHERE u.item = i.item)
  ), written AS (
    INSERT INTO core.reading AS r (user_key, device_key, ts, heart_rate, steps, calories)
      SELECT i.user_key, i.device_key, i.ts, i.heart_rate, i.steps, i.calories
        FROM incoming AS i
       -- All writers use this order, so that they cannot deadlock.
       ORDER BY i.user_key, i.device_key, i.ts
    ON CONFLICT (user_key, device_key, ts) DO UPDATE
      SET heart_rate = coalesce(excluded.heart_rate, r.heart_rate),
          steps      = coalesce(excluded.steps, r.steps),
          calories   = coalesce(excluded.calories, r.calories)
      WHERE excluded.heart_rate <> r.heart_rate OR (r.heart_rate IS NULL AND excluded.heart_rate IS NOT NULL)
         OR excluded.steps <> r.steps           OR (r.steps IS NULL AND excluded.steps IS NOT NULL)
         OR excluded.calories <> r.calories     OR (r.calories IS NULL AND excluded.calories IS NOT NULL)
    -- xmax is 0 in an inserted row, and set in an updated one.
    RETURNING r.user_key, r.device_key, r.ts, r.xmax = 0 AS is_new
  ), judged AS (
    SELECT i.item::int AS item, w.user_key, w.ts, w.is_new
      FROM written AS w
      JOIN incoming AS i USING (user_key, device_key, ts)
  ), announced AS (
    SELECT api_internal.mark_stale(array_agg(j.user_key), array_agg(j.ts)),
           api_internal.announce(array_agg(j.user_key), array_agg(j.ts))
      FROM judged AS j
    HAVING count(*) > 0
  )
  SELECT coalesce(array_agg(j.item) FILTER (WHERE j.is_new), '{}'),
         coalesce(array_agg(j.item) FILTER (WHERE NOT j.is_new), '{}')
    INTO inserted, updated
    FROM judged AS j
    -- Joined, since a SELECT in a WITH clause runs only if it is read.
    LEFT JOIN announced ON true;
END
$$;

COMMENT ON FUNCTION api_internal.merge_readings IS
  'Stores a batch of readings by key, given as arrays of one length, each identity at most once, for a caller that holds the horizon. Returns the positions, from 1, of inserted and of updated readings; the others are unchanged. A null field keeps the stored value. Marks stale days and notifies live listeners.';
