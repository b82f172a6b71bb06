-- Who did what that cannot be undone, or that decides who may do what.
CREATE TABLE core.audit (
  at        timestamptz NOT NULL DEFAULT now(),
  entry     bigint GENERATED ALWAYS AS IDENTITY,
  act       text COLLATE "C" NOT NULL,
  key_id    text COLLATE "C",
  role      text COLLATE "C" NOT NULL DEFAULT session_user,
  tenant_id text COLLATE "C",
  detail    jsonb NOT NULL DEFAULT '{}',
  CONSTRAINT audit_identity PRIMARY KEY (entry)
);
CREATE INDEX audit_by_time ON core.audit (at);
COMMENT ON TABLE core.audit IS
  'Administrative acts: erasures, deletions, devices, keys, BI logins. It names keys and roles, never a user or a value, so that an erasure need not change it.';
COMMENT ON COLUMN core.audit.key_id IS 'The key that a request of the service came with, or that an act is about; null for none.';
COMMENT ON COLUMN core.audit.role IS 'The role of the database session.';
COMMENT ON COLUMN core.audit.detail IS 'Counts, ids of devices and keys, names of BI logins, scopes.';
