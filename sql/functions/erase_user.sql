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
  who    int := api.find_user(tenant_id, user_id);
  rollup record;
  found  bigint;
BEGIN
  IF who IS NOT NULL THEN
    -- A refresh under way could still write down what it has read before.
    PERFORM api.hold_refresh();
    -- Someone else may have been quicker; from here on nobody is.
    who := api.find_user(tenant_id, user_id);
  END IF;
  IF who IS NULL THEN
    RETURN QUERY SELECT p.name, 0::bigint
                   FROM unnest(ARRAY['device_1m', 'user_1m', 'user_15m', 'user_1h', 'user_1d', 'readings', 'stale_days',
                                     'names']) AS p (name);
    RETURN;
  END IF;

  -- By key, since rollups reach back further than readings where these are dropped by age. Writers have no part in them.
  FOR rollup IN
    SELECT l.name, format('%I.%I', c.materialization_hypertable_schema, c.materialization_hypertable_name) AS relation
      FROM (VALUES (1, 'device_1m'), (2, 'user_1m'), (3, 'user_15m'), (4, 'user_1h'), (5, 'user_1d')) AS l (part, name)
      LEFT JOIN timescaledb_information.continuous_aggregates AS c ON c.view_schema = 'rollup' AND c.view_name = l.name
     ORDER BY l.part
  LOOP
    place := rollup.name;
    EXECUTE 'DELETE FROM ' || rollup.relation || ' WHERE user_key = $1' USING who;
    GET DIAGNOSTICS erased = ROW_COUNT;
    RETURN NEXT;
  END LOOP;

  -- Alone: a writer under way could still store readings of a key that nobody will have. In the order in which a
  -- refresh takes its locks.
  PERFORM pg_advisory_xact_lock(hashtext('hyperpulse horizon'));
  PERFORM api.hold_horizon();
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
  'Erases a user: every rollup, all readings, compressed ones too, and the name. One row for each place, with how many rows were erased there; zeros where nobody of that name is known. Waits for the refresh that is under way; writers wait while readings are erased. Devices and events stay: they are the tenant''s. Whoever writes for that user afterwards starts anew.';
