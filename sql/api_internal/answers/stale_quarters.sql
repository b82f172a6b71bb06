-- Quarters of an hour below the horizon that no rollup answers for.
CREATE VIEW api_internal.stale_quarters AS
  SELECT DISTINCT s.user_key, s.day + q * INTERVAL '15 minutes' AS bucket
    FROM api_internal.marks AS s
   CROSS JOIN generate_series(0, 95) AS q
   WHERE get_bit(s.quarters, q) = 1 AND s.day + q * INTERVAL '15 minutes' < (SELECT materialized FROM core.horizon);

COMMENT ON VIEW api_internal.stale_quarters IS
  'The quarters of an hour below the horizon that are marked stale, by user key; the api.vitals views read them from raw readings.';
