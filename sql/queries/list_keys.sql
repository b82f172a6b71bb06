-- All keys, those in force first.
SELECT k.key_id, t.tenant_id, array_to_string(k.scopes, ',') AS scopes, k.name, date_trunc('second', k.created_at) AS created_at,
       date_trunc('second', k.last_used_at) AS last_used_at,
       date_trunc('second', nullif(k.expires_at, 'infinity')) AS expires_at,
       concat_ws(', ', k.requests_per_second || ' requests/s', k.readings_per_second || ' readings/s', k.bytes_per_day || ' bytes/d') AS limits,
       CASE WHEN k.revoked_at <= now() THEN 'revoked' WHEN k.expires_at <= now() THEN 'expired' ELSE 'valid' END AS state
  FROM core.access_key AS k
  LEFT JOIN core.tenant AS t USING (tenant_key)
 ORDER BY k.revoked_at IS NULL AND k.expires_at > now() DESC, t.tenant_id, k.created_at
