-- The first step of every writer of readings: hold the horizon until the transaction ends.
CREATE FUNCTION api_internal.hold_horizon() RETURNS timestamptz
LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'readings and events cannot be written in a transaction that is %', current_setting('transaction_isolation')
      USING ERRCODE = 'feature_not_supported',
            DETAIL = 'Such a transaction would see the horizon as it was when it began, and mark too little stale.',
            HINT = 'Use READ COMMITTED, which is the default.';
  END IF;
  -- Shared among writers; a refresh takes the lock exclusively while it announces a new horizon.
  LOCK TABLE core.horizon_lock IN ROW SHARE MODE;
  RETURN (SELECT announced FROM core.horizon);
END
$$;

COMMENT ON FUNCTION api_internal.hold_horizon IS
  'Holds the horizon until the transaction ends, and returns it. A caller that changes readings below the horizon must mark them by api_internal.mark_stale.';
