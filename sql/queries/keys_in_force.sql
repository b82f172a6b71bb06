-- Of these keys those in force, and whether there is any key at all; notes when each was used, once a minute at most. One row.
WITH used AS (
  UPDATE core.access_key SET last_used_at = now()
   WHERE key_id = ANY (%(used)s) AND (last_used_at IS NULL OR last_used_at < now() - INTERVAL '1 minute')
)
SELECT EXISTS (SELECT FROM core.access_key) AS any_key,
       coalesce((SELECT jsonb_object_agg(k.key_id, jsonb_build_object(
                          'digest', encode(k.digest, 'hex'), 'tenant', t.tenant_id, 'scopes', k.scopes,
                          'rates', jsonb_strip_nulls(jsonb_build_object('requests', k.requests_per_second,
                            'readings', k.readings_per_second, 'bytes', k.bytes_per_day / 86400)),
                          'seconds', CASE WHEN k.expires_at < 'infinity' THEN extract(epoch FROM k.expires_at - now()) END))
                   FROM core.access_key AS k
                   LEFT JOIN core.tenant AS t USING (tenant_key)
                  WHERE k.key_id = ANY (%(wanted)s) AND k.revoked_at IS NULL AND k.expires_at > now()), '{}') AS keys
