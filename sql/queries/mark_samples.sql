-- Mark quarters of an hour of samples stale, or note whose they are above the horizon.
SELECT api_internal.mark_samples(%(user_keys)s, %(timestamps)s)
