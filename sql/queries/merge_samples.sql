-- Store new and existing samples by key; one row: the positions of inserted and of updated samples.
SELECT inserted, updated
  FROM api_internal.merge_samples(%(user_keys)s, %(metric_keys)s, %(device_keys)s, %(timestamps)s, %(values)s)
