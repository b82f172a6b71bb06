-- Sets the time zone that a user lives in.
CREATE FUNCTION api.set_time_zone(tenant_id text, user_id text, tz text) RETURNS text
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  who  CONSTANT int := api_internal.find_user(tenant_id, user_id);
  zone CONSTANT text := CASE WHEN tz IS NOT NULL THEN api.time_zone(tz) END;
BEGIN
  PERFORM api_internal.require_open(ARRAY[tenant_id]);
  IF who IS NULL THEN
    RAISE EXCEPTION 'the tenant % has no user %', tenant_id, user_id
      USING ERRCODE = 'no_data_found', HINT = 'api.users lists those that have readings.';
  END IF;
  UPDATE core.app_user AS u SET time_zone = zone WHERE u.user_key = who AND u.time_zone IS DISTINCT FROM zone;
  RETURN zone;
END
$$;

COMMENT ON FUNCTION api.set_time_zone IS
  'Sets the time zone that a user lives in, of which api.home_daily cuts the days of the user, and returns the name that is stored, as api.time_zone resolves it; null forgets it.';
