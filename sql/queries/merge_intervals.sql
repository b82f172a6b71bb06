-- Store new and existing intervals, worn windows and daily totals by key; one row: the positions of inserted and of updated ones.
SELECT inserted, updated
  FROM api_internal.merge_intervals(%(user_keys)s, %(metric_keys)s, %(device_keys)s, %(starts)s, %(ends)s, %(values)s, %(kinds)s)
