-- Add a key; a tenant that is new is registered. One row.
WITH registered AS (
  INSERT INTO core.tenant (tenant_id)
    SELECT %(tenant_id)s::text WHERE %(tenant_id)s::text IS NOT NULL
      AND NOT EXISTS (SELECT FROM core.tenant WHERE tenant_id = %(tenant_id)s)
    ON CONFLICT (tenant_id) DO UPDATE SET tenant_id = excluded.tenant_id
    RETURNING tenant_key
), bound AS (
  SELECT tenant_key FROM registered
  UNION ALL
  SELECT tenant_key FROM core.tenant WHERE tenant_id = %(tenant_id)s
), added AS (
  INSERT INTO core.access_key (key_id, digest, tenant_key, scopes, name, expires_at, requests_per_second, readings_per_second, bytes_per_day)
    VALUES (%(key_id)s, %(digest)s, (SELECT tenant_key FROM bound), %(scopes)s, %(name)s,
            coalesce(now() + %(valid_for)s::interval, 'infinity'),
            %(requests_per_second)s, %(readings_per_second)s, %(bytes_per_day)s)
    RETURNING key_id, scopes
)
INSERT INTO core.audit (act, key_id, tenant_id, detail)
  SELECT 'create key', a.key_id, %(tenant_id)s, jsonb_build_object('scopes', a.scopes) FROM added AS a
  RETURNING key_id
