-- Register series of intervals, given by key, and hold them until the transaction ends.
SELECT api_internal.hold_interval_series(%(user_keys)s, %(metric_keys)s, %(device_keys)s)
