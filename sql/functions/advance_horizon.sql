-- Moves the horizon: announces it, marks what it passes, and only then lets readers trust it.
-- No SET clause: a procedure with one cannot commit.
CREATE PROCEDURE api.advance_horizon()
LANGUAGE plpgsql AS $$
DECLARE
  wanted  timestamptz;
  horizon core.horizon;
  part_end timestamptz;
BEGIN
  wanted := public.time_bucket(greatest(api.setting('refresh_step')::interval, INTERVAL '15 minutes'),
                               now() - api.setting('refresh_lag')::interval);
  -- One process at a time moves it, and another one leaves at once. The row first, so that writers wait for no one who
  -- waits for the row.
  SELECT h.* INTO horizon FROM core.horizon AS h WHERE h.announced < wanted FOR UPDATE SKIP LOCKED;
  IF FOUND THEN
    -- The exclusive lock is there once every writer that saw the old horizon has ended; later ones will mark.
    PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('hyperpulse horizon'));
    UPDATE core.horizon SET announced = wanted;
    COMMIT;
  END IF;

  LOOP
    SELECT h.* INTO horizon FROM core.horizon AS h WHERE h.materialized < h.announced FOR UPDATE SKIP LOCKED;
    EXIT WHEN NOT FOUND;
    PERFORM pg_catalog.pg_advisory_xact_lock_shared(pg_catalog.hashtext('hyperpulse refresh'));
    part_end := least(horizon.announced, public.time_bucket(INTERVAL '24 hours', horizon.materialized) + INTERVAL '24 hours');
    PERFORM api.mark_new_time(horizon.materialized, part_end);
    UPDATE core.horizon SET materialized = part_end;
    COMMIT;
  END LOOP;
END
$$;

COMMENT ON PROCEDURE api.advance_horizon IS
  'Moves the horizon to where refresh_lag and refresh_step say, a day of new time in each transaction; what it passes is marked stale for those who have readings there, so a refresh of stale days does the rest.';
