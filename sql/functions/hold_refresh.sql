-- Keeps every refresh away until this transaction ends.
CREATE FUNCTION api.hold_refresh() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  space    CONSTANT int := hashtext('hyperpulse refresh');
  patience CONSTANT text := current_setting('lock_timeout');
  have     boolean := false;
  busy     int;
BEGIN
  -- One at a time: two that each have a place would wait for each other.
  PERFORM pg_advisory_xact_lock(hashtext('hyperpulse hold refresh'));
  LOOP
    -- A refresh that begins from now on finds this session at work under its lock, and leaves; see api.try_lock.
    FOR place IN 1 .. 8 LOOP
      EXIT WHEN have;
      have := pg_try_advisory_xact_lock(space, place);
    END LOOP;
    PERFORM pg_stat_clear_snapshot();
    SELECT l.objid INTO busy
      FROM pg_locks AS l
      JOIN pg_stat_activity AS a USING (pid)
     WHERE l.locktype = 'advisory' AND l.classid = space::oid AND l.granted
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND l.pid <> pg_backend_pid() AND (a.state IS DISTINCT FROM 'idle' OR NOT have)
     LIMIT 1;
    EXIT WHEN have AND busy IS NULL;
    BEGIN
      -- One that fails keeps its place, idle, so this looks again every second.
      PERFORM set_config('lock_timeout', '1s', true);
      PERFORM pg_advisory_xact_lock(space, busy);
      have := true;
    EXCEPTION WHEN lock_not_available THEN
      NULL;
    END;
    PERFORM set_config('lock_timeout', patience, true);
  END LOOP;
END
$$;

COMMENT ON FUNCTION api.hold_refresh IS
  'Waits for the refresh that is under way, and keeps others from beginning until this transaction ends: those leave at once, and the job comes again a minute later.';
