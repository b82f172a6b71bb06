-- Ends what BI logins run for too long.
CREATE FUNCTION api_internal.end_bi_sessions() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  time_limit CONSTANT interval := api_internal.setting('bi_time_limit')::interval;
  -- A session that listens and stays in a transaction keeps the notifications of all databases in their queue. Once it is full,
  -- no write can be announced, and so none be committed.
  crowded    CONSTANT boolean := pg_notification_queue_usage() > 0.1;
  found      record;
BEGIN
  FOR found IN
    SELECT a.pid, a.usename, a.xact_start
      FROM pg_stat_activity AS a
      JOIN api_internal.bi_role AS b ON b.role = a.usesysid
     -- The start is null for a role that may not see the sessions of the other, and could not end them either.
     WHERE (a.datname = current_database() AND a.xact_start < clock_timestamp() - time_limit
            OR crowded AND a.xact_start < clock_timestamp() - INTERVAL '1 second')
       AND (pg_has_role(current_user, a.usesysid, 'USAGE') OR pg_has_role(current_user, 'pg_signal_backend', 'USAGE'))
  LOOP
    RAISE LOG 'hyperpulse: ending a session of the BI login %, in a transaction since %', found.usename, found.xact_start;
    PERFORM pg_terminate_backend(found.pid);
  END LOOP;
END
$$;

COMMENT ON FUNCTION api_internal.end_bi_sessions IS
  'Ends the sessions of roles of api_internal.bi_role whose transaction, or single statement, has lasted for longer than the setting bi_time_limit; those of more than a second, in any database, while notifications fill more than a tenth of their queue. A role can reset its own statement_timeout. Ends only sessions that the caller may end: as a superuser, or of roles whose member it is, which scripts/roles.py sees to.';
