-- A page of a user's readings.
CREATE FUNCTION api_internal.user_readings(
  tenant_id text, user_id text, range_start timestamptz, range_end timestamptz, device_id text DEFAULT NULL,
  after_ts timestamptz DEFAULT NULL, after_device_id text DEFAULT NULL, most int DEFAULT 1000
) RETURNS TABLE (ts timestamptz, device_id text, heart_rate double precision, steps int, calories double precision)
-- SQL, because PL/pgSQL refuses a result column with the name of an argument.
LANGUAGE sql STABLE AS $$
  SELECT p.* FROM api_internal.page_of_readings(api_internal.find_user($1, $2), api_internal.find_device($1, $5), $5 IS NULL, $3, $4, $6, $7, $8) AS p
$$;

COMMENT ON FUNCTION api_internal.user_readings IS
  'A page of a user''s readings in range_start <= ts < range_end as they were sent, where null is unbounded, of every device or of one, ordered by ts and device_id: the first page, or the one after a given ts and device_id.';
