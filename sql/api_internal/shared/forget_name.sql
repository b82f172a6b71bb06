-- Takes the name of an erased user out of the planner's statistics, which hold a hundred names of users in full.
CREATE FUNCTION api_internal.forget_name(user_id text) RETURNS void
-- The service's role may not analyze a table.
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM pg_stats AS s
              WHERE s.schemaname = 'core' AND s.tablename = 'app_user' AND s.attname = 'user_id'
                AND forget_name.user_id = ANY (s.histogram_bounds::text::text[] || s.most_common_vals::text::text[])) THEN
    ANALYZE core.app_user (user_id);
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.forget_name IS
  'Takes the name of a user whom this transaction has deleted out of the statistics of core.app_user: analyzes the column where they hold it. The caller keeps other ANALYZEs out.';
