-- Keys of users and devices, for a process that caches them.
CREATE FUNCTION api_internal.enrol_names(
  tenant_id text, user_ids text[], device_ids text[],
  OUT names_version bigint, OUT user_keys int[], OUT device_keys int[]
)
LANGUAGE plpgsql AS $$
BEGIN
  names_version := (SELECT b.names_version FROM api_internal.begin_writing() AS b);
  IF cardinality(user_ids) > 0 THEN
    user_keys := api_internal.enrol_users(array_fill(tenant_id, ARRAY[cardinality(user_ids)]), user_ids);
  END IF;
  IF cardinality(device_ids) > 0 THEN
    device_keys := api_internal.enrol_devices(array_fill(tenant_id, ARRAY[cardinality(device_ids)]), device_ids);
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.enrol_names IS
  'Keys of users and devices of a tenant, in the order of the given names; registers unknown names. Once the transaction commits, the keys are valid for as long as api_internal.begin_writing returns the same version of names.';
