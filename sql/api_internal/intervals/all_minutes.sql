-- Every minute of a user with intervals, for a view.
CREATE FUNCTION api_internal.all_minutes(user_key int) RETURNS SETOF api_internal.bucket_row
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF user_key IS NOT NULL THEN
    RETURN QUERY SELECT * FROM api_internal.minutes(all_minutes.user_key, tstzmultirange(tstzrange('-infinity', 'infinity')), NULL, true);
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.all_minutes IS
  'Every minute of a user with intervals, by key; none of null. The view api.vitals_1m reads them so, since it cannot hand on the range that is asked for.';
