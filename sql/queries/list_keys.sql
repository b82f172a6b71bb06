-- All keys, those in force first.
SELECT k.key_id, t.tenant_id, array_to_string(k.scopes, ',') AS scopes, k.name, k.created_at::timestamptz(0), k.last_used_at::timestamptz(0),
       nullif(k.expires_at, 'infinity')::timestamptz(0) AS expires_at,
       CASE WHEN k.revoked_at <= now() THEN 'revoked' WHEN k.expires_at <= now() THEN 'expired' ELSE 'valid' END AS state
  FROM core.access_key AS k
  LEFT JOIN core.tenant AS t USING (tenant_key)
 ORDER BY state = 'valid' DESC, t.tenant_id, k.created_at
