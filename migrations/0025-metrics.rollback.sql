COMMENT ON TABLE core.audit IS
  'Administrative acts: erasures, deletions, devices, keys, BI logins. It names keys and roles, never a user or a value, so that an erasure need not change it.';
COMMENT ON COLUMN core.audit.detail IS 'Counts, ids of devices and keys, names of BI logins, scopes.';
DELETE FROM core.setting WHERE name = 'own_metrics';
DROP TABLE core.metric_unit;
DROP TABLE core.metric;
