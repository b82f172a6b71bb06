-- Stores new and existing intervals, worn windows and daily totals, given by key.
CREATE FUNCTION api_internal.merge_intervals(
  user_keys int[], metric_keys int[], device_keys int[], starts timestamptz[], ends timestamptz[], "values" double precision[],
  kinds smallint[], OUT inserted int[], OUT updated int[]
)
LANGUAGE plpgsql
-- A generic plan assumes short arrays and joins them by nested loops.
SET plan_cache_mode = force_custom_plan
-- A late upload may touch any number of compressed intervals.
SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0
AS $$
DECLARE
  changed CONSTANT int[] := api_internal.changed_intervals(user_keys, metric_keys, device_keys, starts, ends, "values", kinds);
  old  record;
  new  record;
BEGIN
  inserted := '{}';
  updated := '{}';
  IF changed = '{}' THEN
    PERFORM api_internal.confirm_stored();
    RETURN;
  END IF;

  -- Their rollups are those of samples; every writer registers series of samples before those of intervals.
  INSERT INTO core.sample_series (user_key, metric_key, device_key)
    SELECT DISTINCT i.user_key, i.metric_key, i.device_key
      FROM unnest(user_keys, kinds, metric_keys, device_keys) AS i (user_key, kind, metric_key, device_key)
     WHERE i.kind = 0 AND i.metric_key > 3
       AND NOT EXISTS (SELECT FROM core.sample_series AS s
                        WHERE s.user_key = i.user_key AND s.metric_key = i.metric_key AND s.device_key = i.device_key)
     ORDER BY 1, 2, 3
  ON CONFLICT DO NOTHING;
  INSERT INTO core.interval_series (user_key, kind, metric_key, device_key)
    SELECT DISTINCT i.user_key, i.kind, CASE i.kind WHEN 1 THEN 0 ELSE i.metric_key END, i.device_key
      FROM unnest(user_keys, kinds, metric_keys, device_keys) AS i (user_key, kind, metric_key, device_key)
     WHERE NOT EXISTS (SELECT FROM core.interval_series AS s
                        WHERE s.user_key = i.user_key AND s.kind = i.kind AND s.device_key = i.device_key
                          AND s.metric_key = CASE i.kind WHEN 1 THEN 0 ELSE i.metric_key END)
     ORDER BY 1, 2, 3, 4
  ON CONFLICT DO NOTHING;
  -- One writer of a series at a time, so that what is marked below is what was there until now.
  PERFORM
     FROM core.interval_series AS s
    WHERE (s.user_key, s.kind, s.metric_key, s.device_key) IN (
            SELECT i.user_key, i.kind, CASE i.kind WHEN 1 THEN 0 ELSE i.metric_key END, i.device_key
              FROM unnest(user_keys, kinds, metric_keys, device_keys) WITH ORDINALITY AS i (user_key, kind, metric_key, device_key, item)
             WHERE EXISTS (SELECT FROM unnest(changed) AS c (item) WHERE c.item = i.item))
    ORDER BY s.user_key, s.kind, s.metric_key, s.device_key
      FOR NO KEY UPDATE;

  -- The extent before, of those whose rollups are concerned.
  SELECT array_agg(o.user_key) FILTER (WHERE o.kind = 1 OR o.metric_key IN (2, 3)) AS user_keys,
         array_agg(o.ts) FILTER (WHERE o.kind = 1 OR o.metric_key IN (2, 3)) AS starts,
         array_agg(o.ends_at) FILTER (WHERE o.kind = 1 OR o.metric_key IN (2, 3)) AS ends,
         array_agg(o.user_key) FILTER (WHERE o.kind = 1 OR o.metric_key > 3) AS sample_users,
         array_agg(o.ts) FILTER (WHERE o.kind = 1 OR o.metric_key > 3) AS sample_starts,
         array_agg(o.ends_at) FILTER (WHERE o.kind = 1 OR o.metric_key > 3) AS sample_ends
    INTO old
    FROM api_internal.stored_intervals(user_keys, metric_keys, device_keys, starts, kinds, changed) AS o
   WHERE o.kind < 2;

  WITH incoming AS MATERIALIZED (
    -- Of one identity the last, and versions in the order of the items.
    SELECT f.*, nextval('core.interval_version') AS version
      FROM (SELECT DISTINCT ON (i.kind, i.user_key, i.metric_key, i.device_key, i.ts) i.*
              FROM (SELECT i.user_key, CASE i.kind WHEN 1 THEN 0 ELSE i.metric_key END AS metric_key, i.device_key, i.ts, i.ends_at,
                           i.value, i.kind, i.item
                      FROM unnest(user_keys, metric_keys, device_keys, starts, ends, "values", kinds) WITH ORDINALITY
                        AS i (user_key, metric_key, device_key, ts, ends_at, value, kind, item)
                      -- Not `= ANY`, after which the planner expects a single row and joins by nested loops.
                      JOIN unnest(changed) AS c (item) USING (item)) AS i
             ORDER BY i.kind, i.user_key, i.metric_key, i.device_key, i.ts, i.item DESC
           ) AS f
     ORDER BY f.item
  ), intervals AS (
    INSERT INTO core.interval AS t (user_key, metric_key, device_key, ts, ends_at, value, version)
      SELECT i.user_key, i.metric_key, i.device_key, i.ts, i.ends_at, i.value, i.version
        FROM incoming AS i
       WHERE i.kind = 0
       ORDER BY i.user_key, i.metric_key, i.ts, i.device_key
    ON CONFLICT (user_key, metric_key, ts, device_key) DO UPDATE
      SET ends_at = excluded.ends_at, value = excluded.value, version = excluded.version
      WHERE (t.ends_at, t.value) <> (excluded.ends_at, excluded.value)
    -- xmax is 0 in an inserted row, and set in an updated one.
    RETURNING 0 AS kind, t.user_key, t.metric_key, t.device_key, t.ts, t.ends_at, t.xmax = 0 AS is_new
  ), windows AS (
    INSERT INTO core.worn_window AS t (user_key, device_key, ts, ends_at, version)
      SELECT i.user_key, i.device_key, i.ts, i.ends_at, i.version
        FROM incoming AS i
       WHERE i.kind = 1
       ORDER BY i.user_key, i.ts, i.device_key
    ON CONFLICT (user_key, ts, device_key) DO UPDATE
      SET ends_at = excluded.ends_at, version = excluded.version
      WHERE t.ends_at <> excluded.ends_at
    RETURNING 1 AS kind, t.user_key, 0 AS metric_key, t.device_key, t.ts, t.ends_at, t.xmax = 0 AS is_new
  ), totals AS (
    INSERT INTO core.daily_total AS t (user_key, metric_key, device_key, ts, ends_at, value, version)
      SELECT i.user_key, i.metric_key, i.device_key, i.ts, i.ends_at, i.value, i.version
        FROM incoming AS i
       WHERE i.kind = 2
       ORDER BY i.user_key, i.metric_key, i.ts, i.device_key
    ON CONFLICT (user_key, metric_key, ts, device_key) DO UPDATE
      SET ends_at = excluded.ends_at, value = excluded.value, version = excluded.version
      WHERE (t.ends_at, t.value) <> (excluded.ends_at, excluded.value)
    RETURNING 2 AS kind, t.user_key, t.metric_key, t.device_key, t.ts, t.ends_at, t.xmax = 0 AS is_new
  ), written AS (
    SELECT * FROM intervals UNION ALL SELECT * FROM windows UNION ALL SELECT * FROM totals
  ), judged AS (
    SELECT i.item::int AS item, w.*
      FROM written AS w
      JOIN incoming AS i USING (kind, user_key, metric_key, device_key, ts)
  )
  SELECT coalesce(array_agg(j.item) FILTER (WHERE j.is_new), '{}') AS inserted,
         coalesce(array_agg(j.item) FILTER (WHERE NOT j.is_new), '{}') AS updated,
         -- Daily totals are in no rollup; intervals of other metrics are in those of samples.
         array_agg(j.user_key) FILTER (WHERE j.kind = 1 OR j.kind = 0 AND j.metric_key IN (2, 3)) AS user_keys,
         array_agg(j.ts) FILTER (WHERE j.kind = 1 OR j.kind = 0 AND j.metric_key IN (2, 3)) AS starts,
         array_agg(j.ends_at) FILTER (WHERE j.kind = 1 OR j.kind = 0 AND j.metric_key IN (2, 3)) AS ends,
         array_agg(j.user_key) FILTER (WHERE j.kind = 1 OR j.kind = 0 AND j.metric_key > 3) AS sample_users,
         array_agg(j.ts) FILTER (WHERE j.kind = 1 OR j.kind = 0 AND j.metric_key > 3) AS sample_starts,
         array_agg(j.ends_at) FILTER (WHERE j.kind = 1 OR j.kind = 0 AND j.metric_key > 3) AS sample_ends,
         array_agg(j.user_key) AS all_users, array_agg(j.ts) AS all_starts
    INTO new
    FROM judged AS j;
  inserted := new.inserted;
  updated := new.updated;
  IF new.user_keys IS NOT NULL THEN
    PERFORM api_internal.mark_cells(old.user_keys || new.user_keys, old.starts || new.starts, old.ends || new.ends);
  END IF;
  IF new.sample_users IS NOT NULL THEN
    PERFORM api_internal.mark_sample_cells(old.sample_users || new.sample_users, old.sample_starts || new.sample_starts, old.sample_ends || new.sample_ends);
  END IF;
  IF new.all_users IS NOT NULL THEN
    -- Each moment once, however many metrics it has.
    PERFORM api_internal.announce(array_agg(a.user_key), array_agg(a.ts))
       FROM (SELECT DISTINCT a.user_key, a.ts FROM unnest(new.all_users, new.all_starts) AS a (user_key, ts)) AS a;
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.merge_intervals IS
  'Stores a batch of intervals (kind 0), worn windows (kind 1, whose metric and value are ignored) and daily totals (kind 2) by key, given as arrays of one length, for a caller that holds the horizon and has checked values and lengths against the registry; of one identity (kind, user, metric, device, start) the last counts. Returns the positions, from 1, of inserted and of updated ones; the others are unchanged. Marks stale days and notifies live listeners. A caller that writes readings and samples too writes them first.';
