-- Privileges of the service: hyperpulse_service serves HTTP, and neither migrates, refreshes, makes keys nor changes settings.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hyperpulse_service') THEN
    CREATE ROLE hyperpulse_service NOLOGIN;
  END IF;
EXCEPTION
  WHEN insufficient_privilege THEN
    RAISE NOTICE 'the role hyperpulse_service cannot be created: have a role that may create it do so, and migrate again';
  WHEN duplicate_object OR unique_violation THEN
    NULL; -- another database of this server is being migrated at the same time
END
$$;

DO $$
DECLARE
  service CONSTANT oid := (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = 'hyperpulse_service');
  relation record;
BEGIN
  IF service IS NULL THEN
    RETURN;
  END IF;
  GRANT USAGE ON SCHEMA api, api_internal, core, rollup, migration TO hyperpulse_service;
  GRANT SELECT ON ALL TABLES IN SCHEMA api, api_internal, migration TO hyperpulse_service;
  GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api, api_internal TO hyperpulse_service;

  FOR relation IN
    WITH wanted (name, privileges) AS (
      VALUES ('core.reading', 'DELETE,INSERT,SELECT,UPDATE'), ('core.event', 'INSERT,SELECT'), ('core.event_id', 'INSERT,SELECT'),
             ('core.sample', 'DELETE,INSERT,SELECT,UPDATE'), ('core.sample_series', 'DELETE,INSERT,SELECT'),
             ('core.interval', 'DELETE,INSERT,SELECT,UPDATE'), ('core.worn_window', 'DELETE,INSERT,SELECT,UPDATE'),
             ('core.daily_total', 'DELETE,INSERT,SELECT,UPDATE'), ('core.interval_version', 'USAGE'),
             -- UPDATE, since writers of a series lock its row.
             ('core.interval_series', 'DELETE,INSERT,SELECT,UPDATE'),
             ('core.sample_day', 'DELETE,INSERT,SELECT'),
             ('core.tenant', 'INSERT,SELECT'), ('core.tenant_shard', 'SELECT'), ('core.app_user', 'DELETE,INSERT,SELECT'), ('core.device', 'INSERT,SELECT,UPDATE'),
             -- Only api.set_metric changes it, as its owner.
             ('core.metric', 'SELECT'), ('core.metric_unit', 'SELECT'),
             ('core.known_device', 'SELECT'), ('core.goal', 'SELECT'), ('core.names_version', 'SELECT,UPDATE'),
             -- What a refresh has to do is noted here, and what it did there.
             ('core.stale_day', 'DELETE,INSERT,SELECT,UPDATE'), ('core.stale_event_day', 'INSERT,SELECT,UPDATE'),
             ('core.changed_day', 'INSERT,SELECT,UPDATE'), ('core.stale_version', 'USAGE'),
             ('core.horizon', 'SELECT'), ('core.run', 'SELECT'), ('core.verification', 'SELECT'), ('core.claim', 'SELECT'),
             -- Without rows: UPDATE is what LOCK TABLE asks for.
             ('core.horizon_lock', 'UPDATE'), ('core.refresh_lock', 'UPDATE'), ('core.enrolment_lock', 'UPDATE'),
             ('core.channel', 'SELECT'), ('core.setting', 'SELECT'),
             -- Of a key the service changes only when it was last used, see below.
             ('core.access_key', 'SELECT'), ('core.key_allowance', 'INSERT,SELECT,UPDATE'),
             ('core.session', 'DELETE,INSERT,SELECT,UPDATE'), ('core.ticket', 'DELETE,INSERT,SELECT,UPDATE'),
             ('core.audit', 'INSERT'),
             -- An erasure deletes what is kept of a user.
             ('core.last_value', 'DELETE,SELECT'), ('core.kept_value', 'DELETE,SELECT'), ('core.kept_minute', 'DELETE,SELECT'),
             ('rollup.user_15m', 'DELETE,SELECT'), ('rollup.user_1h', 'DELETE,SELECT'),
             ('rollup.user_4h', 'DELETE,SELECT'), ('rollup.user_1d', 'DELETE,SELECT'),
             ('rollup.device_15m', 'DELETE,SELECT'), ('rollup.device_1h', 'DELETE,SELECT'),
             ('rollup.device_4h', 'DELETE,SELECT'), ('rollup.device_1d', 'DELETE,SELECT'),
             ('rollup.sample_15m', 'DELETE,SELECT'), ('rollup.sample_1h', 'DELETE,SELECT'), ('rollup.sample_1d', 'DELETE,SELECT'),
             ('rollup.sample_device_15m', 'DELETE,SELECT'), ('rollup.sample_device_1h', 'DELETE,SELECT'),
             ('rollup.sample_device_1d', 'DELETE,SELECT'),
             ('rollup.event_1m', 'SELECT'), ('rollup.event_1h', 'SELECT'), ('rollup.event_1d', 'SELECT'),
             ('rollup.tenant_15m', 'SELECT'), ('rollup.tenant_1h', 'SELECT'), ('rollup.tenant_1d', 'SELECT')
    )
    -- Only what differs, since TimescaleDB repeats a GRANT for every chunk.
    SELECT c.oid::regclass AS name, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, w.privileges
      FROM pg_class AS c
      LEFT JOIN wanted AS w ON w.name::regclass = c.oid
     CROSS JOIN LATERAL (
       SELECT string_agg(a.privilege_type, ',' ORDER BY a.privilege_type COLLATE "C") AS privileges
         FROM aclexplode(c.relacl) AS a
        WHERE a.grantee = service) AS held
     WHERE c.relnamespace IN ('core'::regnamespace, 'rollup'::regnamespace) AND c.relkind IN ('r', 'v', 'S')
       AND held.privileges IS DISTINCT FROM w.privileges
  LOOP
    EXECUTE format('REVOKE ALL ON %s %s FROM hyperpulse_service', relation.kind, relation.name);
    IF relation.privileges IS NOT NULL THEN
      EXECUTE format('GRANT %s ON %s %s TO hyperpulse_service', relation.privileges, relation.kind, relation.name);
    END IF;
  END LOOP;
  GRANT UPDATE (last_used_at) ON core.access_key TO hyperpulse_service;
END
$$;
