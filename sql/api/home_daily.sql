-- Users by day of the time zone that each lives in, in one call.
CREATE FUNCTION api.home_daily(
  range_start date DEFAULT NULL, range_end date DEFAULT NULL, wanted_tenant text DEFAULT NULL, wanted_user text DEFAULT NULL
) RETURNS TABLE (
  tenant_id          text,
  user_id            text,
  day                date,
  steps              bigint,
  calories           double precision,
  heart_rate_count   bigint,
  heart_rate_avg     double precision,
  heart_rate_min     double precision,
  heart_rate_max     double precision,
  resting_heart_rate double precision,
  worn_minutes       int,
  first_ts           timestamptz,
  last_ts            timestamptz,
  day_start          timestamptz,
  day_end            timestamptz,
  complete           boolean,
  time_zone          text
)
-- STABLE, so that rollups and raw readings are read in one snapshot.
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN QUERY
    SELECT d.*, z.zone
      -- One pass for each zone: it costs what the users of that zone have.
      FROM (SELECT coalesce(u.time_zone, 'UTC') AS zone, array_agg(u.user_key) AS user_keys
              FROM api_internal.chosen_users(wanted_tenant, wanted_user) AS u
             GROUP BY 1) AS z
     CROSS JOIN LATERAL api_internal.days_of(api.time_zone(z.zone), range_start, range_end, z.user_keys) AS d
     ORDER BY d.tenant_id, d.user_id, d.day;
END
$$;

COMMENT ON FUNCTION api.home_daily IS
  'Users by day local to the time zone of each, as api.set_time_zone sets it, otherwise UTC; range_start <= day < range_end, columns as in api.daily, exact at every moment. Without a range: the last seven days that are complete where the user is; without a tenant or a user: all of them.';
