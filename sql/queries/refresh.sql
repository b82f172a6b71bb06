-- Bring the rollups up to date, within a budget of time.
CALL api.refresh(%(budget)s::interval)
