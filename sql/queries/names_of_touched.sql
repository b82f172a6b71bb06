-- Those of a tenant's users that have these keys and, unless there are none, these names.
SELECT u.user_key, u.user_id
  FROM core.app_user AS u
  JOIN core.tenant AS t USING (tenant_key)
 WHERE u.user_key = ANY (%(user_keys)s::int[]) AND t.tenant_id = %(tenant_id)s
   AND (%(user_ids)s::text[] IS NULL OR u.user_id = ANY (%(user_ids)s::text[]))
