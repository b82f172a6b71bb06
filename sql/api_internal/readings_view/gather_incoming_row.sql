-- The row trigger of an INSERT into api.incoming_readings.
CREATE FUNCTION api_internal.gather_incoming_row() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  -- A cast would round.
  IF NEW.steps <> trunc(NEW.steps) THEN
    RAISE EXCEPTION 'steps is %', NEW.steps
      USING ERRCODE = 'check_violation',
            DETAIL = 'steps must be a whole number; 72.0 is one.',
            HINT = 'Round it where it is made, if that is what it means.';
  END IF;
  INSERT INTO pg_temp.gathered_reading (tenant_id, user_id, device_id, ts, heart_rate, steps, calories)
    VALUES (coalesce(NEW.tenant_id, api_internal.default_tenant()), NEW.user_id, coalesce(NEW.device_id, 'default'),
            NEW.ts, NEW.heart_rate, NEW.steps, NEW.calories);
  RETURN NEW;
END
$$;

COMMENT ON FUNCTION api_internal.gather_incoming_row IS
  'The row trigger of api.incoming_readings: refuses steps with a fraction, and gathers the row for api_internal.merge_gathered.';
