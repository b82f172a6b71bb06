ALTER TABLE core.device
  DROP CONSTRAINT metric_priorities_are_some,
  DROP COLUMN calories_rank,
  DROP COLUMN steps_rank,
  DROP COLUMN heart_rate_rank,
  DROP COLUMN metric_priorities;
DROP FUNCTION core.device_rank(int, jsonb, int, int);
