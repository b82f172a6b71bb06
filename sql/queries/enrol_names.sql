-- Keys of users and devices, registering new names; one row.
SELECT names_version, user_keys, device_keys
  FROM api_internal.enrol_names(%(tenant_id)s, %(user_ids)s::text[], %(device_ids)s::text[])
