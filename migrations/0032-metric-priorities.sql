-- Priorities of a device by metric.
CREATE FUNCTION core.device_rank(priority int, metric_priorities jsonb, device_key int, metric_key int) RETURNS bigint
-- Without SET, so that the planner inlines it.
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (CASE WHEN metric_priorities IS NULL THEN priority
             ELSE coalesce((metric_priorities ->> metric_key::text)::int, priority) END::bigint << 32) + device_key;
COMMENT ON FUNCTION core.device_rank IS
  'How a device ranks for a metric: the smallest rank wins. By priority, that of the metric or else that of the device; then the device registered first.';

-- In the row of the device, which every choice between devices joins anyway: a device without any costs nothing more.
ALTER TABLE core.device
  ADD COLUMN metric_priorities jsonb,
  -- The metrics of readings are ranked for each minute, so their ranks are kept. Keys are those of the registry.
  ADD COLUMN heart_rate_rank bigint GENERATED ALWAYS AS (core.device_rank(priority, metric_priorities, device_key, 1)) STORED,
  ADD COLUMN steps_rank bigint GENERATED ALWAYS AS (core.device_rank(priority, metric_priorities, device_key, 2)) STORED,
  ADD COLUMN calories_rank bigint GENERATED ALWAYS AS (core.device_rank(priority, metric_priorities, device_key, 3)) STORED,
  ADD CONSTRAINT metric_priorities_are_some CHECK (metric_priorities <> '{}');
COMMENT ON COLUMN core.device.metric_priorities IS
  'Priorities by metric_key, where they differ from the device''s; null where none do, as for nearly every device.';
COMMENT ON COLUMN core.device.heart_rate_rank IS 'core.device_rank of the metric heart_rate.';
COMMENT ON COLUMN core.device.steps_rank IS 'core.device_rank of the metric steps.';
COMMENT ON COLUMN core.device.calories_rank IS 'core.device_rank of the metric calories.';
