-- How far are the rollups behind, who refreshes them, and is anything wrong with them?
SELECT f.level, f.horizon, f.lag, f.stale_days, f.last_refresh, f.refreshed_by, f.last_took, f.last_error
  FROM api.freshness AS f;
