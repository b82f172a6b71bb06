-- The row trigger of the view api.readings, which stores a row as the service does.
CREATE FUNCTION api_internal.write_reading_row() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  bounds record;
  keys   record;
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO pg_temp.gathered_reading (tenant_id, user_id, device_id, ts, heart_rate, steps, calories)
      VALUES (coalesce(NEW.tenant_id, api_internal.default_tenant()), NEW.user_id, coalesce(NEW.device_id, 'default'),
              NEW.ts, NEW.heart_rate, NEW.steps, NEW.calories);
    RETURN NEW;
  END IF;

  PERFORM api_internal.require_open(ARRAY[OLD.tenant_id]);
  keys := (api_internal.find_user(OLD.tenant_id, OLD.user_id), api_internal.find_device(OLD.tenant_id, OLD.device_id));

  IF TG_OP = 'UPDATE' AND (NEW.tenant_id, NEW.user_id, NEW.device_id, NEW.ts)
                          IS NOT DISTINCT FROM (OLD.tenant_id, OLD.user_id, OLD.device_id, OLD.ts) THEN
    -- Unlike a second INSERT, an UPDATE may take a metric away.
    UPDATE core.reading
       SET heart_rate = NEW.heart_rate, steps = NEW.steps, calories = NEW.calories
     WHERE user_key = keys.f1 AND device_key = keys.f2 AND ts = OLD.ts;
  ELSE
    DELETE FROM core.reading
     WHERE user_key = keys.f1 AND device_key = keys.f2 AND ts = OLD.ts;
  END IF;
  -- Deleted since the statement began: the reading must not be stored again.
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  PERFORM api_internal.mark_stale(ARRAY[keys.f1], ARRAY[OLD.ts]);
  PERFORM api_internal.announce(ARRAY[keys.f1], ARRAY[OLD.ts]);
  IF TG_OP = 'DELETE' THEN
    RETURN OLD;
  END IF;

  SELECT * INTO bounds FROM api_internal.timestamp_bounds();
  IF NEW.ts NOT BETWEEN bounds.oldest AND bounds.newest THEN
    RAISE EXCEPTION 'ts is %', NEW.ts
      USING ERRCODE = 'check_violation',
            DETAIL = format('Accepted is what lies from %s to %s.', bounds.oldest, bounds.newest),
            HINT = 'The table api.settings holds the bounds.';
  END IF;
  PERFORM api_internal.write_readings(
    ARRAY[coalesce(NEW.tenant_id, api_internal.default_tenant())], ARRAY[NEW.user_id], ARRAY[coalesce(NEW.device_id, 'default')],
    ARRAY[NEW.ts], ARRAY[NEW.heart_rate], ARRAY[NEW.steps], ARRAY[NEW.calories]);
  RETURN NEW;
END
$$;

COMMENT ON FUNCTION api_internal.write_reading_row IS
  'The row trigger of api.readings: an UPDATE or DELETE resolves names, merges, marks stale days and notifies live listeners, as the service does; the rows of an INSERT are gathered for api_internal.merge_gathered.';
