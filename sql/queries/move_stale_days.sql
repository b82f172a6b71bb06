-- How many days of users of a tenant are still to be rolled up; one row.
SELECT count(DISTINCT (s.user_key, s.day)) AS stale
  FROM core.stale_day AS s
  JOIN core.app_user AS u USING (user_key)
  JOIN core.tenant AS t USING (tenant_key)
 WHERE t.tenant_id = %(tenant_id)s
