-- Stores new and existing samples, given by key.
CREATE FUNCTION api_internal.merge_samples(
  user_keys int[], metric_keys int[], device_keys int[], timestamps timestamptz[], "values" double precision[],
  OUT inserted int[], OUT updated int[]
)
LANGUAGE plpgsql
-- A generic plan assumes short arrays and joins them by nested loops.
SET plan_cache_mode = force_custom_plan
-- A late upload may touch any number of compressed samples.
SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0
AS $$
DECLARE
  -- Most repeated samples are unchanged: looking them up costs less than an upsert, which locks each row.
  unchanged CONSTANT int[] := api_internal.unchanged_samples(user_keys, metric_keys, device_keys, timestamps, "values");
BEGIN
  inserted := '{}';
  updated := '{}';
  IF cardinality(unchanged) = cardinality(timestamps) THEN
    PERFORM api_internal.confirm_stored();
    RETURN;
  END IF;

  INSERT INTO core.sample_series (user_key, metric_key, device_key)
    SELECT DISTINCT i.user_key, i.metric_key, i.device_key
      FROM unnest(user_keys, metric_keys, device_keys) AS i (user_key, metric_key, device_key)
     WHERE NOT EXISTS (SELECT FROM core.sample_series AS s
                        WHERE s.user_key = i.user_key AND s.metric_key = i.metric_key AND s.device_key = i.device_key)
     ORDER BY i.user_key, i.metric_key, i.device_key
  ON CONFLICT DO NOTHING;

  WITH incoming AS (
    SELECT *
      FROM unnest(user_keys, metric_keys, device_keys, timestamps, "values") WITH ORDINALITY
        AS i (user_key, metric_key, device_key, ts, value, item)
     -- Not `<> ALL`, after which the planner expects a single row and joins by nested loops.
     WHERE NOT EXISTS (SELECT FROM unnest(unchanged) AS u (item) WHERE u.item = i.item)
  ), written AS (
    INSERT INTO core.sample AS s (user_key, metric_key, device_key, ts, value)
      SELECT i.user_key, i.metric_key, i.device_key, i.ts, i.value
        FROM incoming AS i
       -- All writers use this order, so that they cannot deadlock.
       ORDER BY i.user_key, i.metric_key, i.device_key, i.ts
    ON CONFLICT (user_key, metric_key, device_key, ts) DO UPDATE
      SET value = excluded.value
      WHERE excluded.value <> s.value
    -- xmax is 0 in an inserted row, and set in an updated one.
    RETURNING s.user_key, s.metric_key, s.device_key, s.ts, s.xmax = 0 AS is_new
  ), judged AS (
    SELECT i.item::int AS item, w.user_key, w.ts, w.is_new
      FROM written AS w
      JOIN incoming AS i USING (user_key, metric_key, device_key, ts)
  ), announced AS (
    -- Each moment once, however many metrics it has.
    SELECT api_internal.mark_samples(array_agg(j.user_key), array_agg(j.ts)),
           api_internal.announce(array_agg(j.user_key), array_agg(j.ts))
      FROM (SELECT DISTINCT w.user_key, w.ts FROM written AS w) AS j
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

COMMENT ON FUNCTION api_internal.merge_samples IS
  'Stores a batch of samples by key, given as arrays of one length, each identity at most once, for a caller that holds the horizon and has checked the values against the registry. Returns the positions, from 1, of inserted and of updated samples; the others are unchanged. Marks stale days and notifies live listeners. A caller that writes readings too writes them first.';
