-- Those of a tenant's users that have these keys and, unless there are none, these names.
SELECT u.user_key, u.user_id
  -- Joined and looked up, since a plan that is kept compares with every element of an array.
  FROM unnest(%(user_keys)s::int[]) AS k (user_key)
  JOIN core.app_user AS u USING (user_key)
  JOIN core.tenant AS t USING (tenant_key)
 WHERE t.tenant_id = %(tenant_id)s
   AND (%(user_ids)s::text[] IS NULL OR u.user_id IN (SELECT unnest(%(user_ids)s::text[])))
