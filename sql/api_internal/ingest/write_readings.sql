-- Stores readings by name: inserts new ones, and updates existing ones with the fields that are not null.
CREATE FUNCTION api_internal.write_readings(
  tenant_ids text[], user_ids text[], device_ids text[], timestamps timestamptz[],
  heart_rates double precision[], steps int[], calories double precision[]
) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
  outcomes text[] := array_fill('unchanged'::text, ARRAY[cardinality(timestamps)]);
  merged   record;
  place    int;
BEGIN
  -- The horizon is held by enrol_users and enrol_devices, which are called before merge_readings.
  SELECT * INTO merged
    FROM api_internal.merge_readings(api_internal.enrol_users(tenant_ids, user_ids), api_internal.enrol_devices(tenant_ids, device_ids),
                            timestamps, heart_rates, steps, calories);
  FOREACH place IN ARRAY merged.inserted LOOP
    outcomes[place] := 'inserted';
  END LOOP;
  FOREACH place IN ARRAY merged.updated LOOP
    outcomes[place] := 'updated';
  END LOOP;
  RETURN outcomes;
END
$$;

COMMENT ON FUNCTION api_internal.write_readings IS
  'Stores a batch of readings, given as arrays of one length, each identity (tenant, user, device, timestamp) at most once. Returns inserted, updated or unchanged for each item. A null field keeps the stored value.';
