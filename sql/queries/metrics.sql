-- The metrics that a tenant has: the built-in ones, then its own; or the one of that name.
SELECT name, title, topic, kind, unit, lowest, highest, most_per_second, is_whole, other_units, loinc, healthkit, health_connect,
       open_mhealth, tenant_id IS NULL AS built_in
  FROM api.metrics
 WHERE (tenant_id IS NULL OR tenant_id = %(tenant_id)s) AND name = coalesce(%(name)s, name)
 ORDER BY tenant_id IS NOT NULL, name COLLATE "C"
