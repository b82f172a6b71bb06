-- Brings the rollups up to date: what is new below the horizon, then the stale days, newest first.
-- No SET clause: a procedure with one cannot commit.
CREATE PROCEDURE api.refresh()
LANGUAGE plpgsql AS $$
DECLARE
  place int;
  old_horizon timestamptz;
  new_horizon timestamptz;
  piece       record;
BEGIN
  -- One refresh at a time; the lock belongs to the session, since this commits several times.
  place := api.try_lock('refresh');
  IF place IS NULL THEN
    RAISE NOTICE 'another refresh is under way';
    RETURN;
  END IF;

  -- Announce. The exclusive lock is there once every writer that saw the old horizon has ended; later ones will mark.
  PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('hyperpulse horizon'));
  UPDATE core.horizon
     SET announced = greatest(announced, public.time_bucket(INTERVAL '15 minutes',
                                                            now() - api.setting('refresh_lag')::interval));
  COMMIT;

  -- New time, oldest first, so that the horizon moves with it.
  LOOP
    SELECT h.materialized,
           least(h.announced, public.time_bucket(INTERVAL '15 minutes',
                                                 h.materialized + greatest(api.setting('refresh_window')::interval, INTERVAL '15 minutes')))
      INTO old_horizon, new_horizon
      FROM core.horizon AS h;
    EXIT WHEN old_horizon >= new_horizon;
    CALL api.refresh_levels(old_horizon, new_horizon, false);
    CALL api.refresh_events(old_horizon, new_horizon, false);
    UPDATE core.horizon SET materialized = new_horizon;
    COMMIT;
  END LOOP;

  -- Stale days. A claim remembers the version seen; whoever writes meanwhile gives a new one, and the row stays.
  -- Rows that a writer holds are left to the next refresh, so that neither waits for the other.
  UPDATE core.stale_day AS s
     SET claimed = s.version
    FROM (SELECT user_key, day FROM core.stale_day WHERE claimed IS DISTINCT FROM version FOR UPDATE SKIP LOCKED) AS free
   WHERE s.user_key = free.user_key AND s.day = free.day;
  COMMIT;
  -- Writers that found a day marked and not claimed have left it at that: what they wrote must be there first.
  PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('hyperpulse horizon'));
  COMMIT;
  FOR piece IN SELECT p.range_start, p.range_end FROM api.stale_ranges() AS p LOOP
    RAISE LOG 'hyperpulse: refreshing stale days from % to %', piece.range_start, piece.range_end;
    CALL api.refresh_levels(piece.range_start, least(piece.range_end, new_horizon), true);
    DELETE FROM core.stale_day AS s
     USING (SELECT user_key, day FROM core.stale_day
             WHERE day >= piece.range_start AND day < piece.range_end AND claimed = version
               FOR UPDATE SKIP LOCKED) AS done
     WHERE s.user_key = done.user_key AND s.day = done.day;
    COMMIT;
  END LOOP;

  CALL api.refresh_stale_events();

  PERFORM api.unlock('refresh', place);
END
$$;

COMMENT ON PROCEDURE api.refresh IS
  'Brings the rollups up to date and moves the horizon; the job runs it every minute. Answers are exact before, during and after, and also when it is killed half-way: the next one picks up what is left.';
