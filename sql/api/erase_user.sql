-- Erases a user everywhere.
CREATE FUNCTION api.erase_user(tenant_id text, user_id text) RETURNS TABLE (place text, erased bigint)
LANGUAGE plpgsql
-- Most of the erased rows may be compressed.
SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0
-- In partially compressed chunks, a DELETE by bitmap scan misses the rows that it has just decompressed.
SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
  rollups CONSTANT text[] := '{user_15m, user_1h, user_4h, user_1d, device_15m, device_1h, device_4h, device_1d,
                              sample_15m, sample_1h, sample_1d, sample_device_15m, sample_device_1h, sample_device_1d}';
  who     int;
  found   bigint;
  must_be_open boolean;
BEGIN
  -- An unknown user takes no lock: one snapshot shows that, and whether the tenant is open.
  SELECT k.who, k.who IS NOT NULL OR EXISTS (SELECT FROM core.tenant AS t
                                              WHERE t.tenant_id = erase_user.tenant_id AND t.closed_at IS NOT NULL)
    INTO who, must_be_open
    FROM api_internal.find_user(tenant_id, user_id) AS k (who);
  IF who IS NOT NULL THEN
    -- A running refresh could still write rollups of the readings that it has read.
    LOCK TABLE core.refresh_lock IN EXCLUSIVE MODE;
    -- An ANALYZE under way has sampled the name, and would write it down afterwards. Autovacuum gives way within a second; writers
    -- do not wait meanwhile.
    LOCK TABLE core.app_user IN SHARE UPDATE EXCLUSIVE MODE;
    -- Another erasure may have finished while this one waited for the lock.
    who := api_internal.find_user(tenant_id, user_id);
  END IF;
  IF who IS NULL THEN
    IF must_be_open THEN
      PERFORM api_internal.require_open(ARRAY[tenant_id]);
    END IF;
    RETURN QUERY SELECT p.name, 0::bigint
                   FROM unnest(rollups || ARRAY['readings', 'samples', 'intervals', 'stale_days', 'names']) AS p (name);
    RETURN;
  END IF;

  -- By key, since rollups reach back further than raw readings under retention. Writers never touch rollups.
  INSERT INTO core.changed_day (day)
    SELECT DISTINCT public.time_bucket(INTERVAL '24 hours', r.bucket) FROM rollup.user_15m AS r WHERE r.user_key = who;
  FOREACH place IN ARRAY rollups LOOP
    EXECUTE format('DELETE FROM rollup.%I WHERE user_key = $1', place) USING who;
    GET DIAGNOSTICS erased = ROW_COUNT;
    RETURN NEXT;
  END LOOP;
  DELETE FROM core.last_value AS v WHERE v.user_key = who;
  DELETE FROM core.kept_value AS v WHERE v.user_key = who;

  -- Exclude writers: a running one could still store readings under the key of the erased user. The locks are taken in the
  -- same order as by a refresh.
  LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;
  PERFORM api_internal.require_open(ARRAY[tenant_id]);
  UPDATE core.names_version SET version = version + 1;

  place := 'readings';
  erased := 0;
  -- Repeat until no reading is left, since one DELETE may miss some.
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

  place := 'samples';
  erased := 0;
  LOOP
    DELETE FROM core.sample AS s WHERE s.user_key = who;
    GET DIAGNOSTICS found = ROW_COUNT;
    erased := erased + found;
    EXIT WHEN NOT EXISTS (SELECT FROM core.sample AS s WHERE s.user_key = who);
  END LOOP;
  DELETE FROM core.sample_series AS s WHERE s.user_key = who;
  DELETE FROM core.sample_day AS d WHERE d.user_key = who;
  RETURN NEXT;

  place := 'intervals';
  erased := 0;
  LOOP
    DELETE FROM core.interval AS i WHERE i.user_key = who;
    GET DIAGNOSTICS found = ROW_COUNT;
    erased := erased + found;
    EXIT WHEN NOT EXISTS (SELECT FROM core.interval AS i WHERE i.user_key = who);
  END LOOP;
  DELETE FROM core.worn_window AS w WHERE w.user_key = who;
  GET DIAGNOSTICS found = ROW_COUNT;
  erased := erased + found;
  DELETE FROM core.daily_total AS t WHERE t.user_key = who;
  GET DIAGNOSTICS found = ROW_COUNT;
  erased := erased + found;
  DELETE FROM core.interval_series AS s WHERE s.user_key = who;
  RETURN NEXT;

  place := 'stale_days';
  DELETE FROM core.stale_day AS s WHERE s.user_key = who;
  GET DIAGNOSTICS erased = ROW_COUNT;
  RETURN NEXT;

  place := 'names';
  DELETE FROM core.app_user AS u WHERE u.user_key = who;
  GET DIAGNOSTICS erased = ROW_COUNT;
  PERFORM api_internal.forget_name(user_id);
  RETURN NEXT;

  PERFORM api_internal.note_act('erase user', tenant_id, jsonb_build_object('names', erased));
  -- A key without a name identifies no user to a listener, so live listeners get the full state.
  PERFORM api_internal.announce_many(erase_user.tenant_id);
END
$$;

COMMENT ON FUNCTION api.erase_user IS
  'Erases a user: every rollup, all readings (including compressed readings and kept minutes), all samples, intervals, worn windows and daily totals, and the name, also from the planner''s statistics. Returns one row for each place with the number of erased rows; zeros if the user is unknown. Waits for the running pieces of refreshes; writers wait while readings are erased. Devices and events stay, because they belong to the tenant. A later reading under the same name creates a new user.';
