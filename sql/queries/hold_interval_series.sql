-- Register series of intervals, worn windows and totals of days, given by key, and hold them until the transaction ends.
SELECT api_internal.hold_interval_series(%(user_keys)s, %(kinds)s, %(metric_keys)s, %(device_keys)s)
