-- A tenant's users with the given keys and, if names are given, those names.
SELECT u.user_key, u.user_id
  -- A join, since a cached plan would compare each row with every element of an array.
  FROM unnest(%(user_keys)s::int[]) AS k (user_key)
  JOIN core.app_user AS u USING (user_key)
  JOIN core.tenant AS t USING (tenant_key)
 WHERE t.tenant_id = %(tenant_id)s
   AND (%(user_ids)s::text[] IS NULL OR u.user_id IN (SELECT unnest(%(user_ids)s::text[])))
