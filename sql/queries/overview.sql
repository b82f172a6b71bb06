-- What each of a tenant's users did today, and how their heart went in the last half hour.
SELECT * FROM api.overview(%(tenant_id)s, %(tz)s, %(user_ids)s::text[], %(most)s)
