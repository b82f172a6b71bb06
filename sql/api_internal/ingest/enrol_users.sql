-- Keys of users by name; registers unknown users and their tenants.
CREATE FUNCTION api_internal.enrol_users(tenant_ids text[], user_ids text[]) RETURNS int[]
LANGUAGE plpgsql
-- A generic plan assumes short arrays and joins them by nested loops.
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  keys int[];
BEGIN
  PERFORM api_internal.require_open(tenant_ids);
  SELECT array_agg(u.user_key ORDER BY i.item) INTO keys
    FROM unnest(tenant_ids, user_ids) WITH ORDINALITY AS i (tenant_id, user_id, item)
    LEFT JOIN core.tenant AS t USING (tenant_id)
    LEFT JOIN core.app_user AS u USING (tenant_key, user_id);
  IF array_position(keys, NULL) IS NULL THEN
    RETURN keys;
  END IF;

  PERFORM api_internal.enrol_tenants(tenant_ids);
  INSERT INTO core.app_user (tenant_key, user_id)
    SELECT t.tenant_key, i.user_id
      FROM unnest(tenant_ids, user_ids) WITH ORDINALITY AS i (tenant_id, user_id, item)
      JOIN core.tenant AS t USING (tenant_id)
     WHERE NOT EXISTS (SELECT FROM core.app_user AS u
                        WHERE u.tenant_key = t.tenant_key AND u.user_id = i.user_id)
     GROUP BY t.tenant_key, i.user_id
     ORDER BY min(i.item);

  RETURN (SELECT array_agg(u.user_key ORDER BY i.item)
            FROM unnest(tenant_ids, user_ids) WITH ORDINALITY AS i (tenant_id, user_id, item)
            JOIN core.tenant AS t USING (tenant_id)
            JOIN core.app_user AS u USING (tenant_key, user_id));
END
$$;

COMMENT ON FUNCTION api_internal.enrol_users IS
  'Keys of users, in the order of the given names; registers unknown users, and their tenants, in order of first appearance.';
