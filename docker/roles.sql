-- The roles of Hyperpulse in a database, for psql as a superuser: an owner, which migrates, refreshes and makes keys, and a login of
-- the service, which serves HTTP. Passwords come from files; all of it may run again.
--
-- The variables owner and web name the roles, secrets the folder of the files.
\set ON_ERROR_STOP on
\if :{?owner} \else \set owner hyperpulse_owner \endif
\if :{?web} \else \set web hyperpulse_web \endif
\if :{?secrets} \else \set secrets /run/secrets \endif
\setenv SECRETS :secrets
\set owner_password `cat "$SECRETS/owner_password"`
\set web_password `cat "$SECRETS/web_password"`
\set database :DBNAME

-- No password in the log of the server.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET client_min_messages = 'warning';
SET password_encryption = 'scram-sha-256';

-- Only a superuser can create it.
CREATE EXTENSION IF NOT EXISTS timescaledb;

SELECT format('CREATE ROLE %I', name)
  FROM unnest(ARRAY[:'owner', :'web', 'hyperpulse_service']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec
-- CREATEROLE is for logins of BI tools: it reaches no role that the owner did not create or was not given.
ALTER ROLE :"owner" LOGIN NOSUPERUSER CREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS PASSWORD :'owner_password';
ALTER ROLE :"web" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS PASSWORD :'web_password';
GRANT hyperpulse_service TO :"web";
ALTER DATABASE :"database" OWNER TO :"owner";

-- What another role made, such as the superuser of an earlier release, becomes the owner's.
SELECT set_config('hyperpulse.owner', :'owner', false) AS owner
\gset
DO $$
DECLARE
  new_owner CONSTANT regrole := quote_ident(current_setting('hyperpulse.owner'))::regrole;
  statement text;
  job       record;
BEGIN
  FOR statement IN
    -- The next migration builds these again.
    SELECT format('DROP SCHEMA %I CASCADE', n.nspname)
      FROM pg_namespace AS n
     WHERE n.nspname IN ('api', 'api_internal') AND n.nspowner <> new_owner
    UNION ALL
    SELECT format('ALTER SCHEMA %I OWNER TO %s', n.nspname, new_owner)
      FROM pg_namespace AS n
     WHERE n.nspname IN ('core', 'rollup', 'migration') AND n.nspowner <> new_owner
    UNION ALL
    -- TimescaleDB does the same for chunks, and for what a continuous aggregate consists of.
    SELECT format('ALTER %s %s OWNER TO %s',
                  CASE c.relkind WHEN 'v' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass, new_owner)
      FROM pg_class AS c
     WHERE c.relnamespace IN (SELECT n.oid FROM pg_namespace AS n WHERE n.nspname IN ('core', 'rollup', 'migration'))
       AND c.relkind IN ('r', 'v', 'S') AND c.relowner <> new_owner
       AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
                          AND c.relkind = 'S')
    UNION ALL
    SELECT format('ALTER ROUTINE %s OWNER TO %s', p.oid::regprocedure, new_owner)
      FROM pg_proc AS p
     WHERE p.pronamespace IN (SELECT n.oid FROM pg_namespace AS n WHERE n.nspname IN ('core', 'rollup', 'migration'))
       AND p.proowner <> new_owner
  LOOP
    EXECUTE statement;
  END LOOP;
  -- A job runs as its owner: one of the superuser must not run what another role may change.
  FOR job IN
    SELECT j.job_id, format('%I.%I', j.proc_schema, j.proc_name) AS routine, j.schedule_interval, j.scheduled,
           regexp_replace(j.application_name, ' \[\d+\]$', '') AS name
      FROM timescaledb_information.jobs AS j
     WHERE j.proc_schema = 'core' AND j.owner <> new_owner
  LOOP
    PERFORM public.delete_job(job.job_id);
    EXECUTE format('SET LOCAL ROLE %s', new_owner);
    PERFORM public.alter_job(public.add_job(job.routine::regproc, job.schedule_interval, job_name => job.name, fixed_schedule => false),
                             scheduled => job.scheduled);
    RESET ROLE;
  END LOOP;
END
$$;
