-- Metrics by name.
CREATE FUNCTION api_internal.find_metrics(tenant_id text, metrics text[]) RETURNS SETOF core.metric
LANGUAGE plpgsql STABLE AS $$
DECLARE
  own     CONSTANT int := (SELECT t.tenant_key FROM api_internal.visible_tenant AS t WHERE t.tenant_id = find_metrics.tenant_id);
  unknown text;
BEGIN
  SELECT n.name INTO unknown
    FROM unnest(metrics) WITH ORDINALITY AS n (name, item)
   WHERE NOT EXISTS (SELECT FROM core.metric AS m WHERE m.name = n.name AND (m.tenant_key IS NULL OR m.tenant_key = own))
   ORDER BY n.item
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'metrics has %', coalesce(unknown, 'a null')
      USING ERRCODE = 'invalid_parameter_value', COLUMN = 'metrics',
            HINT = coalesce((SELECT format('Did you mean %s? ', m.name)
                               FROM core.metric AS m
                              CROSS JOIN LATERAL (SELECT api_internal.name_likeness(unknown, m.name) AS likeness OFFSET 0) AS l
                              WHERE (m.tenant_key IS NULL OR m.tenant_key = own) AND l.likeness >= 0.4
                              ORDER BY l.likeness DESC, m.name
                              LIMIT 1), '') || 'The view api.metrics has those that are known.';
  END IF;
  RETURN QUERY
    SELECT m.*
      FROM core.metric AS m
     WHERE m.name = ANY (metrics) AND (m.tenant_key IS NULL OR m.tenant_key = own)
     ORDER BY m.metric_key;
END
$$;

COMMENT ON FUNCTION api_internal.find_metrics IS
  'The rows of the registry by name, of built-in metrics and of those of a tenant, each once; an unknown name is an error that suggests the most similar one.';
