-- Record that a refresh or an upkeep failed, and the reason.
SELECT api_internal.note_failure(%(task)s, %(message)s)
