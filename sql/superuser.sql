-- What only a superuser can take from BI logins, in the database of Hyperpulse: once, and again after an update of TimescaleDB.
--
-- Every role may call these functions unless that is revoked from PUBLIC. The owner of Hyperpulse keeps them, and the service what it
-- calls; grant them to other applications that share the database. Without this script a BI login sees no more, but may take
-- processes, disk and notifications.
BEGIN;

DO $$
DECLARE
  owner       CONSTANT name := (SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace AS n WHERE n.nspname = 'core');
  has_service CONSTANT boolean := EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'hyperpulse_service');
  -- Announcements of writes, and what GET /v1/system tells of sizes; hypertable_size calls hypertable_detailed_size as its caller.
  of_service  CONSTANT name[] := ARRAY['pg_notify', 'approximate_row_count', 'hypertable_size', 'hypertable_detailed_size'];
  routine     record;
BEGIN
  FOR routine IN
    -- Jobs, policies and changes of hypertables, which run in background workers or on tables of the caller.
    SELECT p.oid::regprocedure AS signature, p.proname AS name
      FROM pg_proc AS p
      JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
      JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid AND e.extname = 'timescaledb'
     WHERE p.pronamespace = e.extnamespace AND (p.prokind = 'p' OR p.provolatile = 'v')
       AND p.proname NOT IN ('time_bucket_gapfill', 'locf', 'interpolate')
    UNION ALL
    -- Large objects, advisory locks of other applications, notifications in bulk, and messages in the write-ahead log.
    SELECT p.oid::regprocedure, p.proname
      FROM pg_proc AS p
     WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f'
       AND p.proname ~ '^(lo_|lowrite$|loread$|pg_(try_)?advisory_|pg_notify$|pg_logical_emit_message$)'
  LOOP
    EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', routine.signature);
    EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', routine.signature, owner);
    IF has_service AND routine.name = ANY (of_service) THEN
      EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO hyperpulse_service', routine.signature);
    END IF;
  END LOOP;
  -- DO, which repeats a NOTIFY, or a statement that fails, a million times.
  REVOKE ALL ON LANGUAGE plpgsql FROM PUBLIC;
  EXECUTE format('GRANT USAGE ON LANGUAGE plpgsql TO %I', owner);
  -- So that the owner may create BI logins, where another role created these groups; it needs CREATEROLE as well.
  IF NOT (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = owner) THEN
    EXECUTE format('GRANT bi_reader, bi_tenant TO %I WITH ADMIN OPTION', owner);
  END IF;
END
$$;

-- The views of api evaluate conditions inside themselves only where these cannot leak. Comparisons of a timestamptz with a date or a
-- timestamp, as Metabase sends them, cannot: they neither fail nor report what they compare, which PostgreSQL does not declare.
DO $$
DECLARE
  comparison regprocedure;
BEGIN
  FOR comparison IN
    SELECT p.oid::regprocedure
      FROM pg_proc AS p
     WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^timestamptz_(lt|le|eq|ge|gt)_(date|timestamp)$'
  LOOP
    EXECUTE format('ALTER FUNCTION %s LEAKPROOF', comparison);
  END LOOP;
END
$$;

-- A setting of superusers, which a login cannot change.
DO $$
DECLARE
  login name;
BEGIN
  FOR login IN
    SELECT b.name
      FROM api_internal.bi_role AS b
     WHERE b.may_log_in
       AND NOT EXISTS (SELECT
                         FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c
                        WHERE s.setrole = b.role AND c LIKE 'temp_file_limit=%')
  LOOP
    EXECUTE format('ALTER ROLE %I SET temp_file_limit = ''1GB''', login);
  END LOOP;
END
$$;

COMMIT;
