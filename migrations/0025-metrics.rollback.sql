-- Samples name metrics by key, and the key of another one would be theirs after the next migration.
DO $$
BEGIN
  IF to_regclass('core.sample') IS NOT NULL THEN
    RAISE EXCEPTION 'samples name metrics by key'
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Undo 0026-samples first.';
  END IF;
END
$$;
COMMENT ON TABLE core.audit IS
  'Administrative acts: erasures, deletions, devices, keys, BI logins. It names keys and roles, never a user or a value, so that an erasure need not change it.';
COMMENT ON COLUMN core.audit.detail IS 'Counts, ids of devices and keys, names of BI logins, scopes.';
DELETE FROM core.setting WHERE name = 'own_metrics';
DROP TABLE core.metric_unit;
DROP TABLE core.metric;
