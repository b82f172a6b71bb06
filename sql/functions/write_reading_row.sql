-- What writing to the view api.readings does: the same as the service, one row at a time.
CREATE FUNCTION api.write_reading_row() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  bounds record;
  keys   record;
BEGIN
  PERFORM api.hold_horizon();
  IF TG_OP <> 'INSERT' THEN
    keys := (api.find_user(OLD.tenant_id, OLD.user_id), api.find_device(OLD.tenant_id, OLD.device_id));
  END IF;

  IF TG_OP = 'UPDATE' AND (NEW.tenant_id, NEW.user_id, NEW.device_id, NEW.ts)
                          IS NOT DISTINCT FROM (OLD.tenant_id, OLD.user_id, OLD.device_id, OLD.ts) THEN
    -- Unlike a second INSERT, an UPDATE may take a metric away.
    UPDATE core.reading
       SET heart_rate = NEW.heart_rate, steps = NEW.steps, calories = NEW.calories
     WHERE user_key = keys.f1 AND device_key = keys.f2 AND ts = OLD.ts;
  ELSIF TG_OP <> 'INSERT' THEN
    DELETE FROM core.reading
     WHERE user_key = keys.f1 AND device_key = keys.f2 AND ts = OLD.ts;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    -- Gone since the statement began: then there is nothing to change, and nothing may come back.
    IF NOT FOUND THEN
      RETURN NULL;
    END IF;
    PERFORM api.mark_stale(ARRAY[keys.f1], ARRAY[OLD.ts]);
    PERFORM api.announce(ARRAY[keys.f1], ARRAY[OLD.ts]);
  END IF;
  IF TG_OP = 'DELETE' THEN
    RETURN OLD;
  END IF;

  SELECT * INTO bounds FROM api.timestamp_bounds();
  IF NEW.ts NOT BETWEEN bounds.oldest AND bounds.newest THEN
    RAISE EXCEPTION 'ts is %', NEW.ts
      USING ERRCODE = 'check_violation',
            DETAIL = format('Accepted is what lies from %s to %s.', bounds.oldest, bounds.newest),
            HINT = 'The table api.settings holds the bounds.';
  END IF;
  PERFORM api.write_readings(
    ARRAY[coalesce(NEW.tenant_id, 'default')], ARRAY[NEW.user_id], ARRAY[coalesce(NEW.device_id, 'default')],
    ARRAY[NEW.ts], ARRAY[NEW.heart_rate], ARRAY[NEW.steps], ARRAY[NEW.calories]);
  RETURN NEW;
END
$$;

COMMENT ON FUNCTION api.write_reading_row IS
  'The trigger behind api.readings: resolves names, merges, marks stale days and tells live listeners, as the service does.';
