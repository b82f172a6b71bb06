-- Moves the horizon: announces it, marks the new time, and only then lets readers trust it.
-- No SET clause: a procedure with one cannot commit.
CREATE PROCEDURE api_internal.advance_horizon()
LANGUAGE plpgsql AS $$
DECLARE
  wanted  timestamptz;
  horizon core.horizon;
  part_end timestamptz;
BEGIN
  wanted := public.time_bucket(greatest(api_internal.setting('refresh_step')::interval, INTERVAL '15 minutes'),
                               now() - api_internal.setting('refresh_lag')::interval);
  -- The lock order of all transactions: the lock of refreshes, the row, the lock of writers. One process at a time locks
  -- the row, and others return at once, so that writers never queue behind a waiting refresher.
  IF NOT api_internal.try_share_refresh() THEN
    RETURN;
  END IF;
  SELECT h.* INTO horizon FROM core.horizon AS h WHERE h.announced < wanted FOR UPDATE SKIP LOCKED;
  IF FOUND THEN
    -- The exclusive lock is granted once every writer that saw the old horizon has ended. Later writers see the new one and mark.
    LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;
    UPDATE core.horizon SET announced = wanted;
    COMMIT;
  END IF;

  LOOP
    EXIT WHEN NOT api_internal.try_share_refresh();
    SELECT h.* INTO horizon FROM core.horizon AS h WHERE h.materialized < h.announced FOR UPDATE SKIP LOCKED;
    EXIT WHEN NOT FOUND;
    part_end := least(horizon.announced, public.time_bucket(INTERVAL '24 hours', horizon.materialized) + INTERVAL '24 hours');
    PERFORM api_internal.mark_new_time(horizon.materialized, part_end);
    UPDATE core.horizon SET materialized = part_end;
    COMMIT;
  END LOOP;
END
$$;

COMMENT ON PROCEDURE api_internal.advance_horizon IS
  'Moves the horizon according to refresh_lag and refresh_step, a day of new time in each transaction; marks the new time stale for users with readings in it, so that a refresh of stale days rolls it up. Returns at once while a priority changes or a user is erased.';
