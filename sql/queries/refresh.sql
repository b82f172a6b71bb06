-- Bring the rollups up to date, for no longer than a moment.
CALL api.refresh(%(budget)s::interval)
