-- Whether anything that has an end was ever stored of a user.
SELECT EXISTS (SELECT FROM core.interval_series AS s WHERE s.user_key = api_internal.find_user(%(tenant_id)s, %(user_id)s)) AS found
