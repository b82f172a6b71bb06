-- Each metric's latest value of a user.
SELECT * FROM api.latest(%(tenant_id)s, %(user_id)s)
