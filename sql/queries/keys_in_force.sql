-- Of these keys and sessions those in force, by id, and whether there is any key at all; notes when each key was used, once a
-- minute at most. A session ends with its key. One row.
WITH used AS (
  UPDATE core.access_key SET last_used_at = now()
   WHERE (key_id = ANY (%(used)s) OR key_id IN (SELECT key_id FROM core.session WHERE session_id = ANY (%(used)s)))
     AND (last_used_at IS NULL OR last_used_at < now() - INTERVAL '1 minute')
), presented AS (
  SELECT key_id AS id, key_id, digest, expires_at FROM core.access_key WHERE key_id = ANY (%(wanted)s)
  UNION ALL
  SELECT s.session_id, s.key_id, s.digest, least(s.expires_at, k.expires_at)
    FROM core.session AS s
    JOIN core.access_key AS k USING (key_id)
   WHERE s.session_id = ANY (%(wanted)s)
)
SELECT EXISTS (SELECT FROM core.access_key) AS any_key,
       coalesce((SELECT jsonb_object_agg(p.id, jsonb_build_object(
                          'digest', encode(p.digest, 'hex'), 'key_id', k.key_id, 'name', k.name, 'tenant', t.tenant_id,
                          'scopes', k.scopes, 'expires_at', nullif(p.expires_at, 'infinity'),
                          'rates', jsonb_strip_nulls(jsonb_build_object('requests', k.requests_per_second,
                            'readings', k.readings_per_second, 'bytes', k.bytes_per_day / 86400)),
                          'seconds', CASE WHEN p.expires_at < 'infinity' THEN extract(epoch FROM p.expires_at - now()) END))
                   FROM presented AS p
                   JOIN core.access_key AS k USING (key_id)
                   LEFT JOIN core.tenant AS t USING (tenant_key)
                  WHERE k.revoked_at IS NULL AND p.expires_at > now()), '{}') AS keys
