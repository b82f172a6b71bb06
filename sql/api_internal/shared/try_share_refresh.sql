-- The lock of refreshes, shared, without a wait.
CREATE FUNCTION api_internal.try_share_refresh() RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  LOCK TABLE core.refresh_lock IN ROW SHARE MODE NOWAIT;
  RETURN true;
EXCEPTION
  WHEN lock_not_available THEN
    RETURN false;
END
$$;

COMMENT ON FUNCTION api_internal.try_share_refresh IS
  'Takes core.refresh_lock, shared among refreshers, until the transaction ends; returns false at once while a priority changes, a user is erased or raw readings are dropped, or waits to.';
