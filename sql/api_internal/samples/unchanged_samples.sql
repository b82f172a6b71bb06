-- The samples of a batch that are already stored with the same value.
CREATE FUNCTION api_internal.unchanged_samples(
  user_keys int[], metric_keys int[], device_keys int[], timestamps timestamptz[], "values" double precision[]
) RETURNS int[]
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_custom_plan
-- A new chunk has no statistics yet, and the planner would scan it as almost empty.
SET enable_seqscan = off
SET enable_bitmapscan = off
-- The lookup reads a single chunk, and runtime exclusion for each sample would cost ten times as much as the lookup.
SET timescaledb.enable_runtime_exclusion = off
AS $$
DECLARE
  -- Chunks begin at multiples of 28 days from 1970 on.
  chunks CONSTANT timestamptz[] := ARRAY(
    SELECT DISTINCT public.time_bucket(INTERVAL '672 hours', t.ts, timestamptz '1970-01-01Z') FROM unnest(timestamps) AS t (ts));
  chunk     timestamptz;
  found     int[];
  unchanged int[] := '{}';
BEGIN
  -- Each takes time to plan: for many chunks the upsert finds unchanged samples sooner.
  IF cardinality(chunks) > 50 THEN
    RETURN unchanged;
  END IF;
  FOREACH chunk IN ARRAY chunks LOOP
    SELECT array_agg(i.item::int) INTO found
      FROM unnest(user_keys, metric_keys, device_keys, timestamps, "values") WITH ORDINALITY
        AS i (user_key, metric_key, device_key, ts, value, item)
     -- One index lookup for each sample, which OFFSET enforces: a batch is small compared with a chunk.
     CROSS JOIN LATERAL (
       SELECT s.value
         FROM core.sample AS s
        WHERE s.user_key = i.user_key AND s.metric_key = i.metric_key AND s.device_key = i.device_key AND s.ts = i.ts
          AND s.ts >= chunk AND s.ts < chunk + INTERVAL '672 hours'
       OFFSET 0) AS s
     WHERE i.value = s.value;
    unchanged := unchanged || found;
  END LOOP;
  RETURN unchanged;
END
$$;

COMMENT ON FUNCTION api_internal.unchanged_samples IS
  'Positions, from 1, of the samples of a batch that are already stored with the same value; none if the batch spans more than 50 chunks.';
