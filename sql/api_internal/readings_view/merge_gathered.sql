-- Stores the readings that an INSERT into api.readings has gathered.
CREATE FUNCTION api_internal.merge_gathered() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  bounds record;
  wrong  timestamptz;
  batch  record;
BEGIN
  PERFORM api_internal.hold_horizon();
  SELECT * INTO bounds FROM api_internal.timestamp_bounds();
  SELECT g.ts INTO wrong FROM pg_temp.gathered_reading AS g
   WHERE g.ts NOT BETWEEN bounds.oldest AND bounds.newest
   ORDER BY g.item LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ts is %', wrong
      USING ERRCODE = 'check_violation',
            DETAIL = format('Accepted is what lies from %s to %s.', bounds.oldest, bounds.newest),
            HINT = 'The table api.settings holds the bounds.';
  END IF;

  -- In order of first appearance, which breaks ties between devices.
  PERFORM api_internal.enrol_users(array_agg(n.tenant_id ORDER BY n.item), array_agg(n.user_id ORDER BY n.item))
     FROM (SELECT g.tenant_id, g.user_id, min(g.item) AS item FROM pg_temp.gathered_reading AS g GROUP BY 1, 2) AS n
   HAVING count(*) > 0;
  PERFORM api_internal.enrol_devices(array_agg(n.tenant_id ORDER BY n.item), array_agg(n.device_id ORDER BY n.item))
     FROM (SELECT g.tenant_id, g.device_id, min(g.item) AS item FROM pg_temp.gathered_reading AS g GROUP BY 1, 2) AS n
   HAVING count(*) > 0;

  FOR batch IN
    SELECT array_agg(f.user_key ORDER BY f.place) AS user_keys, array_agg(f.device_key ORDER BY f.place) AS device_keys,
           array_agg(f.ts ORDER BY f.place) AS timestamps, array_agg(f.heart_rate ORDER BY f.place) AS heart_rates,
           array_agg(f.steps ORDER BY f.place) AS steps, array_agg(f.calories ORDER BY f.place) AS calories
      FROM (SELECT u.user_key, d.device_key, g.ts,
                   -- Of rows with one identity, the last value of each metric.
                   (array_agg(g.heart_rate ORDER BY g.item DESC) FILTER (WHERE g.heart_rate IS NOT NULL))[1] AS heart_rate,
                   (array_agg(g.steps ORDER BY g.item DESC) FILTER (WHERE g.steps IS NOT NULL))[1] AS steps,
                   (array_agg(g.calories ORDER BY g.item DESC) FILTER (WHERE g.calories IS NOT NULL))[1] AS calories,
                   row_number() OVER (ORDER BY u.user_key, d.device_key, g.ts) AS place
              FROM pg_temp.gathered_reading AS g
              JOIN core.tenant AS t USING (tenant_id)
              JOIN core.app_user AS u USING (tenant_key, user_id)
              JOIN core.device AS d USING (tenant_key, device_id)
             GROUP BY u.user_key, d.device_key, g.ts) AS f
     GROUP BY f.place / 5000
     ORDER BY f.place / 5000
  LOOP
    PERFORM api_internal.merge_readings(batch.user_keys, batch.device_keys, batch.timestamps,
                               batch.heart_rates, batch.steps, batch.calories);
  END LOOP;
  DELETE FROM pg_temp.gathered_reading;
  RETURN NULL;
END
$$;

COMMENT ON FUNCTION api_internal.merge_gathered IS
  'The trigger after an INSERT into api.readings or api.incoming_readings: resolves names, merges, marks stale days and notifies live listeners, as the service does.';
