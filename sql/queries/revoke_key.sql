-- Revoke a key; one row if there is one of that id.
WITH revoked AS (
  UPDATE core.access_key SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = %(key_id)s RETURNING key_id, tenant_key
)
INSERT INTO core.audit (act, key_id, tenant_id)
  SELECT 'revoke key', r.key_id, t.tenant_id FROM revoked AS r LEFT JOIN core.tenant AS t USING (tenant_key)
  RETURNING key_id
