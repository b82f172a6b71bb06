-- Give what a valid key may do to a new one, and end the old one after a while. One row if there is a valid key of that id.
WITH ended AS (
  UPDATE core.access_key AS k
     SET expires_at = least(k.expires_at, now() + %(grace)s::interval)
    FROM (SELECT * FROM core.access_key WHERE key_id = %(key_id)s FOR UPDATE) AS before
   WHERE k.key_id = before.key_id AND k.revoked_at IS NULL AND k.expires_at > now()
   RETURNING before.*
), added AS (
  INSERT INTO core.access_key (key_id, digest, tenant_key, scopes, name, expires_at, requests_per_second, readings_per_second, bytes_per_day)
    SELECT %(new_id)s, %(digest)s, e.tenant_key, e.scopes, e.name, e.expires_at, e.requests_per_second, e.readings_per_second, e.bytes_per_day
      FROM ended AS e
    RETURNING key_id, tenant_key
)
INSERT INTO core.audit (act, key_id, tenant_id, detail)
  SELECT 'rotate key', a.key_id, t.tenant_id, jsonb_build_object('replaces', %(key_id)s::text)
    FROM added AS a LEFT JOIN core.tenant AS t USING (tenant_key)
  RETURNING key_id
