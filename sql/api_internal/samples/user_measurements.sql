-- A page of a user's readings, of samples of the same moments and devices, and of intervals.
CREATE FUNCTION api_internal.user_measurements(
  tenant_id text, user_id text, range_start timestamptz, range_end timestamptz, metrics text[] DEFAULT NULL, device_id text DEFAULT NULL,
  with_intervals boolean DEFAULT true, after_ts timestamptz DEFAULT NULL, after_device_id text DEFAULT NULL, after_end timestamptz DEFAULT NULL,
  after_daily_total boolean DEFAULT NULL, most int DEFAULT 1000
) RETURNS TABLE (
  ts timestamptz, device_id text, ends_at timestamptz, worn boolean, daily_total boolean, heart_rate double precision, steps int,
  calories double precision, metrics json
)
-- SQL, because PL/pgSQL refuses a result column with the name of an argument.
LANGUAGE sql STABLE AS $$
  SELECT p.*
    FROM api_internal.page_of_measurements(
           api_internal.find_user($1, $2), api_internal.find_device($1, $6), $6 IS NULL,
           ARRAY(SELECT m.metric_key
                   FROM api_internal.find_metrics($1, coalesce($5, '{heart_rate,steps,calories}' || api_internal.other_metrics($1, $2))) AS m),
           $3, $4, $7, $8, $9, $10, $11, $12) AS p
$$;

COMMENT ON FUNCTION api_internal.user_measurements IS
  'A page of what was measured of a user in range_start <= ts < range_end as it was sent, where null is unbounded, of every device or of one: a row for each moment and device, and for each end of the intervals that begin there, ordered by ts, device_id, ends_at (null first) and daily_total; the first page, or the one after these. metrics has the values of the metrics that are named, or of all, in the order of the registry. Every reading has a row, and so have intervals of steps and calories, worn windows, and samples and intervals of these metrics. Without with_intervals there is nothing that has an end. An unknown metric is an error.';
