-- Refuses metrics that are not declared.
CREATE FUNCTION api_internal.require_metrics(metric_keys int[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  unknown CONSTANT int := (SELECT k.metric_key
                             FROM unnest(metric_keys) AS k (metric_key)
                            WHERE NOT EXISTS (SELECT FROM core.metric AS m WHERE m.metric_key = k.metric_key)
                            ORDER BY k.metric_key
                            LIMIT 1);
BEGIN
  IF unknown IS NOT NULL THEN
    RAISE EXCEPTION 'metric % is not declared', unknown
      USING ERRCODE = 'foreign_key_violation',
            DETAIL = 'It was deleted from core.metric by hand, or the database is of an earlier state than the process that writes.',
            HINT = 'The process must read the registry again.';
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.require_metrics IS
  'For a writer that has metrics by key from the registry as it was read some time ago: fails where one of them is in core.metric no more, since no answer would have its values. Nothing but a DELETE by hand removes a metric.';
