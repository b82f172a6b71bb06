-- Announces, when the transaction commits, that readings of users of a tenant changed whom it would take long to name.
CREATE FUNCTION api_internal.announce_many(tenant_id text) RETURNS void
LANGUAGE sql AS $$
  SELECT api_internal.notify('readings', encode(sha256(convert_to(tenant_id, 'UTF8')), 'hex') || ':many')
$$;

COMMENT ON FUNCTION api_internal.announce_many IS
  'Announces changed readings of a tenant on the channel readings without naming the users: live listeners of the tenant get the full state. The payload is the SHA-256 of the tenant_id in UTF-8 as hexadecimal digits, a colon, and the word many; the word alone concerns all tenants.';
