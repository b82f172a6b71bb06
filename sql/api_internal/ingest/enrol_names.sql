-- Keys of users and devices, for a process that caches them.
CREATE FUNCTION api_internal.enrol_names(
  user_tenants text[], user_ids text[], device_tenants text[], device_ids text[],
  OUT names_version bigint, OUT user_keys int[], OUT device_keys int[]
)
LANGUAGE plpgsql AS $$
BEGIN
  names_version := (SELECT b.names_version FROM api_internal.begin_writing() AS b);
  IF cardinality(user_ids) > 0 THEN
    user_keys := api_internal.enrol_users(user_tenants, user_ids);
  END IF;
  IF cardinality(device_ids) > 0 THEN
    device_keys := api_internal.enrol_devices(device_tenants, device_ids);
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.enrol_names IS
  'Keys of users and devices, each given by tenant and name, in their order; registers unknown names. Once the transaction commits, the keys are valid for as long as api_internal.begin_writing returns the same version of names.';
