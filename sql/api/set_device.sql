-- Names a device and sets its priority, also for the past.
CREATE FUNCTION api.set_device(tenant_id text, device_id text, name text, priority int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  device core.device;
BEGIN
  -- What changes nothing holds nobody up.
  PERFORM FROM core.device AS d
          JOIN core.tenant AS t USING (tenant_key)
    WHERE t.tenant_id = set_device.tenant_id AND d.device_id = set_device.device_id
      AND coalesce(set_device.name, d.name) IS NOT DISTINCT FROM d.name AND coalesce(set_device.priority, d.priority) = d.priority;
  IF FOUND THEN
    RETURN;
  END IF;
  -- Exclude refreshers: a running one has read the old priority, and its rows are not visible yet. Then exclude writers:
  -- a reading of the device that commits meanwhile would be rolled up with the old priority.
  LOCK TABLE core.refresh_lock IN EXCLUSIVE MODE;
  LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;
  PERFORM api_internal.hold_horizon();
  PERFORM api_internal.enrol_devices(ARRAY[tenant_id], ARRAY[device_id]);
  SELECT d.* INTO device
    FROM core.device AS d
    JOIN core.tenant AS t USING (tenant_key)
   WHERE t.tenant_id = set_device.tenant_id AND d.device_id = set_device.device_id
     FOR UPDATE OF d;
  UPDATE core.device AS d
     SET name = coalesce(set_device.name, d.name), priority = coalesce(set_device.priority, d.priority)
   WHERE d.device_key = device.device_key;
  PERFORM api_internal.note_act('set device', tenant_id,
    jsonb_build_object('device_id', device_id, 'priority', coalesce(set_device.priority, device.priority), 'before', device.priority));

  -- Only where the device met others can the winner change, and only where raw readings are kept.
  IF set_device.priority <> device.priority THEN
    PERFORM api_internal.mark_stale(array_agg(r.user_key), array_agg(r.bucket))
       FROM rollup.device_15m AS r
      WHERE r.device_key = device.device_key AND r.bucket >= (SELECT raw_from FROM core.horizon)
     HAVING count(*) > 0;
    PERFORM api_internal.mark_samples(array_agg(r.user_key), array_agg(r.bucket))
       FROM rollup.sample_device_15m AS r
      WHERE r.device_key = device.device_key
     HAVING count(*) > 0;
    -- Finding the users whose latest values now come from another device would take long, so live listeners get the full state.
    PERFORM api_internal.announce_many(set_device.tenant_id);
  END IF;
END
$$;

COMMENT ON FUNCTION api.set_device IS
  'Sets a device''s name and priority, where null keeps the present one, and registers a new device. Once the transaction commits, a new priority holds at every resolution for all time of which raw readings are kept; live listeners then get the full state.';
