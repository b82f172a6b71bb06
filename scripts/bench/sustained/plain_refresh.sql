-- The refresh of one level as its policy runs it each minute: start_offset 3 days, end_offset 1 hour.
CALL refresh_continuous_aggregate(%(level)s::regclass, now() - INTERVAL '3 days', now() - INTERVAL '1 hour')
