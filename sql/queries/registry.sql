-- The registry as the service validates by it: the built-in metrics, and those of a tenant.
SELECT m.metric_key, m.name, m.unit, m.lowest, m.highest, m.kind, m.is_whole, m.most_per_second, m.healthkit, m.health_connect, m.open_mhealth,
       m.tenant_key IS NULL AS built_in,
       coalesce((SELECT jsonb_agg(jsonb_build_object('unit', u.unit, 'ucum', u.ucum, 'zero', u.zero, 'factor', u.factor,
                                                     'divisor', u.divisor) ORDER BY u.unit)
                   FROM core.metric_unit AS u
                  WHERE u.metric_key = m.metric_key), '[]') AS other_units
  FROM core.metric AS m
  LEFT JOIN core.tenant AS t USING (tenant_key)
 WHERE m.tenant_key IS NULL OR t.tenant_id = %(tenant_id)s
 ORDER BY m.metric_key
