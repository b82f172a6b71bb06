-- Names a device and sets its priorities, also for the past.
CREATE FUNCTION api.set_device(tenant_id text, device_id text, name text, priority int, metrics jsonb DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  given   jsonb;
  before  core.device;
  after   core.device;
  is_closed boolean;
BEGIN
  IF metrics IS NOT NULL THEN
    given := api_internal.given_priorities(tenant_id, metrics);
  END IF;
  -- What changes nothing takes no lock: one snapshot shows that, and whether the tenant is open.
  SELECT t.closed_at IS NOT NULL INTO is_closed
    FROM core.device AS d
    JOIN core.tenant AS t USING (tenant_key)
   WHERE t.tenant_id = set_device.tenant_id AND d.device_id = set_device.device_id
     AND coalesce(set_device.name, d.name) IS NOT DISTINCT FROM d.name AND coalesce(set_device.priority, d.priority) = d.priority
     AND coalesce(d.metric_priorities, '{}') = jsonb_strip_nulls(coalesce(d.metric_priorities, '{}') || coalesce(given, '{}'));
  IF FOUND THEN
    IF is_closed THEN
      PERFORM api_internal.require_open(ARRAY[tenant_id]);
    END IF;
    RETURN;
  END IF;
  -- Exclude refreshers: a running one has read the old priority, and its rows are not visible yet. Then exclude writers:
  -- a reading of the device that commits meanwhile would be rolled up with the old priority.
  LOCK TABLE core.refresh_lock IN EXCLUSIVE MODE;
  LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;
  PERFORM api_internal.require_open(ARRAY[tenant_id]);
  PERFORM api_internal.enrol_devices(ARRAY[tenant_id], ARRAY[device_id]);
  SELECT d.* INTO before
    FROM core.device AS d
    JOIN core.tenant AS t USING (tenant_key)
   WHERE t.tenant_id = set_device.tenant_id AND d.device_id = set_device.device_id
     FOR UPDATE OF d;
  UPDATE core.device AS d
     SET name = coalesce(set_device.name, d.name), priority = coalesce(set_device.priority, d.priority),
         metric_priorities = nullif(jsonb_strip_nulls(coalesce(d.metric_priorities, '{}') || coalesce(given, '{}')), '{}')
   WHERE d.device_key = before.device_key
  RETURNING d.* INTO after;
  PERFORM api_internal.note_act('set device', tenant_id,
    jsonb_build_object('device_id', device_id, 'priority', after.priority, 'before', before.priority)
    || CASE WHEN metrics IS NULL THEN '{}' ELSE jsonb_build_object('metrics', metrics) END);

  -- Only where the device met others can the winner change, only of a metric that ranks otherwise than before, and only where raw
  -- readings, or samples, are kept.
  IF (after.priority, after.metric_priorities) IS DISTINCT FROM (before.priority, before.metric_priorities) THEN
    PERFORM api_internal.mark_stale(array_agg(r.user_key), array_agg(r.bucket))
       FROM rollup.device_15m AS r
      WHERE r.device_key = before.device_key AND r.bucket >= (SELECT raw_from FROM core.horizon)
        AND (r.heart_rate_count > 0 AND after.heart_rate_rank <> before.heart_rate_rank
             OR r.steps IS NOT NULL AND after.steps_rank <> before.steps_rank
             OR r.calories IS NOT NULL AND after.calories_rank <> before.calories_rank)
     HAVING count(*) > 0;
    PERFORM api_internal.mark_samples(array_agg(r.user_key), array_agg(r.bucket))
       FROM rollup.sample_device_15m AS r
      WHERE r.device_key = before.device_key AND r.bucket >= (SELECT samples_from FROM core.horizon)
        AND core.device_rank(after.priority, after.metric_priorities, r.device_key, r.metric_key)
            <> core.device_rank(before.priority, before.metric_priorities, r.device_key, r.metric_key)
     HAVING count(*) > 0;
    -- Finding the users whose latest values now come from another device would take long, so live listeners get the full state.
    PERFORM api_internal.announce_many(set_device.tenant_id);
  END IF;
END
$$;

COMMENT ON FUNCTION api.set_device IS
  'Sets a device''s name and priority, where null keeps the present one, and registers a new device. metrics has priorities of single metrics by name, such as {"steps": 5}, which hold in place of the device''s; null takes one away, and those that are not named stay. Once the transaction commits, new priorities hold at every resolution for all time of which raw readings and samples are kept; live listeners then get the full state.';
