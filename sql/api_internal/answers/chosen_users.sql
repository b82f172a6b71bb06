-- The users that a question is about.
CREATE FUNCTION api_internal.chosen_users(wanted_tenant text, wanted_user text) RETURNS TABLE (user_key int, time_zone text)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT u.user_key, u.time_zone
    FROM core.app_user AS u
    JOIN api_internal.visible_tenant AS t USING (tenant_key)
   WHERE (wanted_tenant IS NULL OR t.tenant_id = wanted_tenant) AND (wanted_user IS NULL OR u.user_id = wanted_user);
END;

COMMENT ON FUNCTION api_internal.chosen_users IS
  'The users that this session may see, of one tenant or all, of one name or all.';
