-- Today's totals and the last half hour of heart rate, for each of a tenant's users.
SELECT * FROM api.overview(%(tenant_id)s, %(tz)s, %(user_ids)s::text[], %(most)s)
