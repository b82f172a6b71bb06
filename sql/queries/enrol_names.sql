-- Keys of users and devices, each given by tenant and name, registering new names; one row.
SELECT names_version, user_keys, device_keys
  FROM api_internal.enrol_names(
    %(user_tenants)s::text[], %(user_ids)s::text[], %(device_tenants)s::text[], %(device_ids)s::text[])
