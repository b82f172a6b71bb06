-- How far are the rollups behind, and is anything wrong with them?
SELECT f.level, f.horizon, f.lag, f.stale_days, f.last_refresh, f.last_error
  FROM api.freshness AS f;
