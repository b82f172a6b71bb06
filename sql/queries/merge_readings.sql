-- Store new and existing readings by key; one row: the positions of inserted and of updated readings.
SELECT inserted, updated
  FROM api_internal.merge_readings(%(user_keys)s, %(device_keys)s, %(timestamps)s, %(heart_rates)s, %(steps)s, %(calories)s)
