-- Has a transaction that has written nothing wait for the synchronous standby when it commits, as those wait that write.
CREATE FUNCTION api_internal.confirm_stored() RETURNS void
LANGUAGE plpgsql
-- BI logins, and so all roles, may be without the right to write such messages.
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- What it found may be on this server alone: its writer was killed, or the server was, while it waited for the standby.
  IF current_setting('synchronous_standby_names') <> '' AND pg_current_xact_id_if_assigned() IS NULL THEN
    PERFORM pg_logical_emit_message(true, 'hyperpulse', '');
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.confirm_stored IS
  'Called by a writer that has found everything stored: its commit then waits until a synchronous standby, where there is one, has what was found. Without it a client that repeats a write could be told that it is stored, and a failover would lose it.';
