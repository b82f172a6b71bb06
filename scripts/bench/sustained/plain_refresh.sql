-- What the refresh policy of one level does each minute: start_offset 3 days, end_offset 1 hour.
CALL refresh_continuous_aggregate(%(level)s::regclass, now() - INTERVAL '3 days', now() - INTERVAL '1 hour')
