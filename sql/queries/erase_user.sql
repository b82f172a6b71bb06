-- Erase a user everywhere: how many rows in each place.
SELECT place, erased FROM api.erase_user(%(tenant_id)s, %(user_id)s)
