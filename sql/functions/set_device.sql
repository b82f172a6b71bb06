-- Names a device and sets its priority, for the past too.
CREATE FUNCTION api.set_device(tenant_id text, device_id text, name text, priority int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  device core.device;
BEGIN
  -- Alone, unlike other writers: a reading of the device that commits meanwhile would be rolled up with the old priority.
  PERFORM pg_advisory_xact_lock(hashtext('hyperpulse horizon'));
  PERFORM api.hold_horizon();
  PERFORM api.enrol_devices(ARRAY[tenant_id], ARRAY[device_id]);
  SELECT d.* INTO device
    FROM core.device AS d
    JOIN core.tenant AS t USING (tenant_key)
   WHERE t.tenant_id = set_device.tenant_id AND d.device_id = set_device.device_id
     FOR UPDATE OF d;
  UPDATE core.device AS d
     SET name = coalesce(set_device.name, d.name), priority = coalesce(set_device.priority, d.priority)
   WHERE d.device_key = device.device_key;

  -- A change in a joined table invalidates nothing: every day that the device reported in is stale now.
  IF set_device.priority <> device.priority THEN
    INSERT INTO core.stale_day AS s (user_key, day, version)
      SELECT r.user_key, r.day, nextval('core.stale_version')
        FROM (SELECT DISTINCT user_key, public.time_bucket(INTERVAL '24 hours', ts) AS day
                FROM core.reading
               WHERE device_key = device.device_key AND ts < (SELECT announced FROM core.horizon)
               ORDER BY 1, 2) AS r
    ON CONFLICT (user_key, day) DO UPDATE SET version = excluded.version;
    -- Whose latest values are another device's now would take long to find out, so live listeners are sent the state.
    PERFORM pg_notify('readings', 'many');
  END IF;
END
$$;

COMMENT ON FUNCTION api.set_device IS
  'Gives a device a name and a priority, null keeping what it has, and registers it where it is new. A new priority holds for all the past, at every resolution, once this is committed; live listeners are then sent the state.';
