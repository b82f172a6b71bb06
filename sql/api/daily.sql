-- All users by local day, in one call.
CREATE FUNCTION api.daily(
  tz text DEFAULT 'UTC', range_start date DEFAULT NULL, range_end date DEFAULT NULL,
  wanted_tenant text DEFAULT NULL, wanted_user text DEFAULT NULL
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
  complete           boolean
)
-- STABLE, so that rollups and raw readings are read in one snapshot.
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN QUERY
    SELECT d.*
      FROM api_internal.days_of(
             api.time_zone(tz), range_start, range_end,
             ARRAY(SELECT u.user_key FROM api_internal.chosen_users(wanted_tenant, wanted_user) AS u)) AS d;
END
$$;

COMMENT ON FUNCTION api.daily IS
  'Users by local day of tz, range_start <= day < range_end, exact at every moment: one row for each user and day with a reading, an interval or a daily total that counts. Without a range: the last seven complete days; without a tenant or a user: all of them. Steps; calories in kilocalories; heart rate in beats per minute; resting_heart_rate is the lowest mean of a quarter of an hour with a heart rate in at least 3 of its minutes; worn_minutes counts the minutes with a heart rate; null where nothing was measured. complete is true once the day is over.';
