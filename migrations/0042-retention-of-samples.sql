-- Retention of samples, intervals and worn windows: from where on they are kept, and the last values of what is dropped.
ALTER TABLE core.horizon ADD COLUMN samples_from timestamptz NOT NULL DEFAULT '-infinity';
-- Intervals of steps and calories go with those of other metrics, so readings are refused there, too.
ALTER TABLE core.horizon ADD CONSTRAINT samples_are_kept_as_long_as_readings CHECK (samples_from <= raw_from);
COMMENT ON TABLE core.horizon IS
  'Up to where rollups are trusted: those of readings and samples below materialized, those of events below events_materialized, but for what is marked stale. It moves in steps, multiples of 15 minutes: announced first, so that writers below it mark from then on; materialized once what lies in between is marked. Raw readings before raw_from were dropped by retention, and no reading is accepted there any more. Before samples_from, a day (UTC), samples, intervals and worn windows are dropped or about to be; what overlaps samples_from is there.';

-- Columns stand widest first, so that no byte is lost to alignment.
CREATE TABLE core.kept_value (
  ts          timestamptz NOT NULL,
  seen_at     timestamptz NOT NULL,
  value       double precision NOT NULL,
  user_key    int NOT NULL,
  metric_key  int NOT NULL,
  device_key  int NOT NULL,
  is_interval boolean NOT NULL,
  CONSTRAINT kept_value_identity PRIMARY KEY (user_key, is_interval, metric_key, device_key)
);
COMMENT ON TABLE core.kept_value IS
  'The last one of the samples, and of the intervals, that retention has dropped of a user, metric and device; steps and calories of intervals included. ts is when it was measured or began.';
COMMENT ON COLUMN core.kept_value.seen_at IS
  'The start of the last minute that a dropped interval of these covers; of samples ts.';

UPDATE core.setting
   SET description = 'interval: what was measured longer ago than this is dropped, as are samples and intervals up to 29 days later, and no longer accepted; null keeps all'
 WHERE name = 'raw_retention';
