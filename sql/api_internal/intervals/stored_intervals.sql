-- What is stored of the identities of a batch of intervals.
CREATE FUNCTION api_internal.stored_intervals(
  user_keys int[], metric_keys int[], device_keys int[], starts timestamptz[], kinds smallint[], wanted int[] DEFAULT NULL
) RETURNS TABLE (
  item int, kind smallint, user_key int, metric_key int, ts timestamptz, ends_at timestamptz, value double precision
)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_custom_plan
-- A new chunk has no statistics yet, and the planner would scan it as almost empty.
SET enable_seqscan = off
SET enable_bitmapscan = off
-- The lookup reads a single chunk, and runtime exclusion for each interval would cost ten times as much as the lookup.
SET timescaledb.enable_runtime_exclusion = off
AS $$
#variable_conflict use_column
DECLARE
  chunk timestamptz;
BEGIN
  -- Chunks begin at multiples of 28 days from 1970 on. Chunk by chunk, so that each lookup reads one.
  FOR chunk IN SELECT DISTINCT public.time_bucket(INTERVAL '672 hours', t.ts, timestamptz '1970-01-01Z')
                 FROM unnest(starts, kinds) AS t (ts, kind) WHERE t.kind = 0 LOOP
    RETURN QUERY
      SELECT i.item::int, i.kind, i.user_key, i.metric_key, i.ts, s.ends_at, s.value
        FROM unnest(user_keys, metric_keys, device_keys, starts, kinds) WITH ORDINALITY
          AS i (user_key, metric_key, device_key, ts, kind, item)
       -- One index lookup for each interval, which OFFSET enforces: a batch is small compared with a chunk.
       CROSS JOIN LATERAL (
         SELECT s.ends_at, s.value
           FROM core.interval AS s
          WHERE s.user_key = i.user_key AND s.metric_key = i.metric_key AND s.device_key = i.device_key AND s.ts = i.ts
            AND s.ts >= chunk AND s.ts < chunk + INTERVAL '672 hours'
         OFFSET 0) AS s
       WHERE i.kind = 0 AND i.ts >= chunk AND i.ts < chunk + INTERVAL '672 hours' AND (wanted IS NULL OR i.item = ANY (wanted));
  END LOOP;
  RETURN QUERY
    SELECT i.item::int, i.kind, i.user_key, i.metric_key, i.ts, s.ends_at, s.value
      FROM unnest(user_keys, metric_keys, device_keys, starts, kinds) WITH ORDINALITY
        AS i (user_key, metric_key, device_key, ts, kind, item)
     CROSS JOIN LATERAL (
       SELECT w.ends_at, NULL::double precision AS value
         FROM core.worn_window AS w
        WHERE i.kind = 1 AND w.user_key = i.user_key AND w.device_key = i.device_key AND w.ts = i.ts
       UNION ALL
       SELECT t.ends_at, t.value
         FROM core.daily_total AS t
        WHERE i.kind = 2 AND t.user_key = i.user_key AND t.metric_key = i.metric_key AND t.device_key = i.device_key AND t.ts = i.ts
       OFFSET 0) AS s
     WHERE i.kind > 0 AND (wanted IS NULL OR i.item = ANY (wanted));
END
$$;

COMMENT ON FUNCTION api_internal.stored_intervals IS
  'The end and the value that are stored for identities of intervals, worn windows and daily totals, given as for api_internal.merge_intervals, by position from 1; only those of the wanted positions, if any are given.';
