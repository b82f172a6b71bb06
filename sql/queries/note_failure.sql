-- Note that a refresh or an upkeep failed, and why.
SELECT api_internal.note_failure(%(task)s, %(message)s)
