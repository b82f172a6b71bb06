-- Names a device and sets its priority, for the past too.
CREATE FUNCTION api.set_device(tenant_id text, device_id text, name text, priority int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  device core.device;
BEGIN
  -- Without refreshers: one that is under way has read the old priority, and what it writes cannot be seen yet. Then alone,
  -- unlike other writers: a reading of the device that commits meanwhile would be rolled up with the old priority.
  PERFORM pg_advisory_xact_lock(hashtext('hyperpulse refresh'));
  PERFORM pg_advisory_xact_lock(hashtext('hyperpulse horizon'));
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

  -- Where the device met others, it may win or lose now. Elsewhere nothing changes, and where raw readings are gone, nothing can.
  IF set_device.priority <> device.priority THEN
    PERFORM api_internal.mark_stale(array_agg(r.user_key), array_agg(r.bucket))
       FROM rollup.device_15m AS r
      WHERE r.device_key = device.device_key AND r.bucket >= (SELECT raw_from FROM core.horizon)
     HAVING count(*) > 0;
    -- Whose latest values are another device's now would take long to find out, so live listeners are sent the state.
    PERFORM pg_notify('readings', 'many');
  END IF;
END
$$;

COMMENT ON FUNCTION api.set_device IS
  'Gives a device a name and a priority, null keeping what it has, and registers it where it is new. A new priority holds for all the past of which raw readings are kept, at every resolution, once this is committed; live listeners are then sent the state.';
