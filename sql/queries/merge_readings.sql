-- Store readings by key, new ones and known ones; one row: the places of those inserted and of those updated.
SELECT inserted, updated
  FROM api_internal.merge_readings(%(user_keys)s, %(device_keys)s, %(timestamps)s, %(heart_rates)s, %(steps)s, %(calories)s)
