-- Notifies the processes of the service, on a channel whose address is private.
CREATE FUNCTION api_internal.notify(channel text, payload text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify((SELECT c.address FROM core.channel AS c WHERE c.name = notify.channel), payload);
END
$$;

COMMENT ON FUNCTION api_internal.notify IS
  'Sends a notification on a channel of core.channel, readings or listeners, when the transaction commits.';
