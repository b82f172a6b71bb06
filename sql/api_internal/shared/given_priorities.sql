-- Priorities of metrics, as they are stored.
CREATE FUNCTION api_internal.given_priorities(tenant_id text, metrics jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  wrong record;
BEGIN
  IF jsonb_typeof(metrics) <> 'object' THEN
    RAISE EXCEPTION 'metrics is %', metrics
      USING ERRCODE = 'invalid_parameter_value', COLUMN = 'metrics',
            HINT = 'It must be an object of priorities by metric, such as {"steps": 5}, where null takes one away.';
  END IF;
  SELECT m.name, m.priority INTO wrong
    FROM jsonb_each(metrics) AS m (name, priority)
   WHERE m.priority <> 'null'
     AND CASE WHEN m.priority::text ~ '^[0-9]{1,10}$' THEN m.priority::text::bigint > 2147483647 ELSE true END
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'metrics.% is %', wrong.name, wrong.priority
      USING ERRCODE = 'invalid_parameter_value', COLUMN = 'metrics.' || wrong.name,
            HINT = 'It must be a whole number from 0 to 2147483647, or null.';
  END IF;
  RETURN (SELECT coalesce(jsonb_object_agg(m.metric_key, metrics -> m.name), '{}')
            FROM api_internal.find_metrics(tenant_id, ARRAY(SELECT jsonb_object_keys(metrics))) AS m);
END
$$;

COMMENT ON FUNCTION api_internal.given_priorities IS
  'Priorities by metric_key of those by name of metric, which are whole numbers or null; names that the tenant does not know, and other values, are errors.';
