-- Stores readings: new ones are inserted, known ones take over the fields that they carry.
CREATE FUNCTION api.write_readings(
  tenant_ids text[], user_ids text[], device_ids text[], timestamps timestamptz[],
  heart_rates double precision[], steps int[], calories double precision[]
) RETURNS text[]
LANGUAGE plpgsql
-- A generic plan takes every array for a short one, and then joins them row by row.
SET plan_cache_mode = force_custom_plan
-- A late upload may touch as many compressed readings as it holds.
SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0
AS $$
DECLARE
  user_keys   int[];
  device_keys int[];
  outcomes    text[];
BEGIN
  PERFORM api.hold_horizon();
  user_keys := api.enrol_users(tenant_ids, user_ids);
  device_keys := api.enrol_devices(tenant_ids, device_ids);
  WITH incoming AS (
    SELECT *
      FROM unnest(user_keys, device_keys, timestamps, heart_rates, steps, calories) WITH ORDINALITY
        AS i (user_key, device_key, ts, heart_rate, steps, calories, item)
  ), written AS (
    INSERT INTO core.reading AS r (user_key, device_key, ts, heart_rate, steps, calories)
      SELECT i.user_key, i.device_key, i.ts, i.heart_rate, i.steps, i.calories
        FROM incoming AS i
       -- One order for every writer, so that two of them cannot deadlock.
       ORDER BY i.user_key, i.device_key, i.ts
    ON CONFLICT (user_key, device_key, ts) DO UPDATE
      SET heart_rate = coalesce(excluded.heart_rate, r.heart_rate),
          steps      = coalesce(excluded.steps, r.steps),
          calories   = coalesce(excluded.calories, r.calories)
      WHERE excluded.heart_rate <> r.heart_rate OR (r.heart_rate IS NULL AND excluded.heart_rate IS NOT NULL)
         OR excluded.steps <> r.steps           OR (r.steps IS NULL AND excluded.steps IS NOT NULL)
         OR excluded.calories <> r.calories     OR (r.calories IS NULL AND excluded.calories IS NOT NULL)
    -- A row that the statement itself made has no xmax; one that it updated has.
    RETURNING r.user_key, r.device_key, r.ts, r.xmax = 0 AS is_new
  ), judged AS (
    SELECT i.item, i.user_key, i.ts,
           CASE WHEN w.is_new THEN 'inserted' WHEN NOT w.is_new THEN 'updated' ELSE 'unchanged' END AS outcome
      FROM incoming AS i
      LEFT JOIN written AS w USING (user_key, device_key, ts)
  ), told AS (
    SELECT api.mark_stale(array_agg(j.user_key), array_agg(j.ts)),
           api.announce(array_agg(j.user_key), array_agg(j.ts))
      FROM judged AS j
     WHERE j.outcome <> 'unchanged'
    HAVING count(*) > 0
  )
  SELECT array_agg(j.outcome ORDER BY j.item) INTO outcomes
    FROM judged AS j
    -- Joined, since a WITH that nothing reads is not run.
    LEFT JOIN told ON true;
  RETURN outcomes;
END
$$;

COMMENT ON FUNCTION api.write_readings IS
  'Stores a batch of readings, given as arrays of one length, each identity (tenant, user, device, timestamp) at most once. Returns for each item inserted, updated or unchanged. A null field keeps what is stored.';
