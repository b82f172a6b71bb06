-- What every writer of readings does first: keep the horizon where it is until its transaction ends.
CREATE FUNCTION api_internal.hold_horizon() RETURNS timestamptz
LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'readings and events cannot be written in a transaction that is %', current_setting('transaction_isolation')
      USING ERRCODE = 'feature_not_supported',
            DETAIL = 'Such a transaction would see the horizon as it was when it began, and mark too little stale.',
            HINT = 'Use READ COMMITTED, which is the default.';
  END IF;
  -- Shared among writers; a refresh takes it exclusively for the moment in which it announces a new horizon.
  PERFORM pg_advisory_xact_lock_shared(hashtext('hyperpulse horizon'));
  RETURN (SELECT announced FROM core.horizon);
END
$$;

COMMENT ON FUNCTION api_internal.hold_horizon IS
  'Keeps the horizon where it is until this transaction ends, and returns it: whoever changes readings below it must mark them with api_internal.mark_stale.';
