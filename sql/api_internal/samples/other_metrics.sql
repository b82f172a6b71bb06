-- The metrics of a user besides those of readings.
CREATE FUNCTION api_internal.other_metrics(tenant_id text, user_id text) RETURNS text[]
LANGUAGE sql STABLE AS $$
  SELECT ARRAY(SELECT m.name
                 FROM core.metric AS m
                WHERE m.metric_key > 3
                  AND m.metric_key IN (SELECT s.metric_key FROM core.sample_series AS s WHERE s.user_key = api_internal.find_user($1, $2)
                                        UNION ALL
                                       SELECT s.metric_key FROM core.interval_series AS s WHERE s.user_key = api_internal.find_user($1, $2))
                ORDER BY m.metric_key)
$$;

COMMENT ON FUNCTION api_internal.other_metrics IS
  'The names of the metrics but heart_rate, steps and calories that were ever measured of a user, in the order of the registry; what was measured may have been deleted.';
