-- Erases a user everywhere.
CREATE FUNCTION api.erase_user(tenant_id text, user_id text) RETURNS TABLE (place text, erased bigint)
LANGUAGE plpgsql
-- Most of what is erased may be compressed.
SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0
-- In chunks that are compressed in part, a DELETE that finds rows by a bitmap overlooks those it has just decompressed.
SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
  rollups CONSTANT text[] := '{user_15m, user_1h, user_4h, user_1d, device_15m, device_1h, device_4h, device_1d}';
  who     int := api_internal.find_user(tenant_id, user_id);
  found   bigint;
BEGIN
  IF who IS NOT NULL THEN
    -- A refresh under way could still write down what it has read before.
    PERFORM pg_advisory_xact_lock(hashtext('hyperpulse refresh'));
    -- Another erasure may have been quicker; from here on none is.
    who := api_internal.find_user(tenant_id, user_id);
  END IF;
  IF who IS NULL THEN
    RETURN QUERY SELECT p.name, 0::bigint
                   FROM unnest(rollups || ARRAY['readings', 'stale_days', 'names']) AS p (name);
    RETURN;
  END IF;

  -- By key, since rollups reach back further than readings where these are dropped by age. Writers have no part in them.
  INSERT INTO core.changed_day (day)
    SELECT DISTINCT public.time_bucket(INTERVAL '24 hours', r.bucket) FROM rollup.user_15m AS r WHERE r.user_key = who;
  FOREACH place IN ARRAY rollups LOOP
    EXECUTE format('DELETE FROM rollup.%I WHERE user_key = $1', place) USING who;
    GET DIAGNOSTICS erased = ROW_COUNT;
    RETURN NEXT;
  END LOOP;
  DELETE FROM core.last_value AS v WHERE v.user_key = who;

  -- Alone: a writer under way could still store readings of a key that will have no name. In the order in which a
  -- refresh takes its locks.
  PERFORM pg_advisory_xact_lock(hashtext('hyperpulse horizon'));
  PERFORM api_internal.hold_horizon();
  UPDATE core.names_version SET version = version + 1;

  place := 'readings';
  erased := 0;
  -- Until none is left, whatever one DELETE overlooks.
  LOOP
    DELETE FROM core.reading AS r WHERE r.user_key = who;
    GET DIAGNOSTICS found = ROW_COUNT;
    erased := erased + found;
    EXIT WHEN NOT EXISTS (SELECT FROM core.reading AS r WHERE r.user_key = who);
  END LOOP;
  DELETE FROM core.kept_minute AS m WHERE m.user_key = who;
  GET DIAGNOSTICS found = ROW_COUNT;
  erased := erased + found;
  RETURN NEXT;

  place := 'stale_days';
  DELETE FROM core.stale_day AS s WHERE s.user_key = who;
  GET DIAGNOSTICS erased = ROW_COUNT;
  RETURN NEXT;

  place := 'names';
  DELETE FROM core.app_user AS u WHERE u.user_key = who;
  GET DIAGNOSTICS erased = ROW_COUNT;
  RETURN NEXT;

  -- Nobody can be told of a key without a name, so live listeners are sent the state.
  PERFORM pg_notify('readings', 'many');
END
$$;

COMMENT ON FUNCTION api.erase_user IS
  'Erases a user: every rollup, all readings, compressed ones and kept minutes too, and the name. One row for each place, with how many rows were erased there; zeros where no user of that name is known. Waits for pieces of refreshes that are under way; writers wait while readings are erased. Devices and events stay: they are the tenant''s. What is written for that user afterwards starts from nothing.';
