LOCK TABLE core.refresh_lock IN EXCLUSIVE MODE;
LOCK TABLE core.horizon_lock IN EXCLUSIVE MODE;
-- One at a time: TimescaleDB drops a hypertable alone.
DROP TABLE rollup.sample_device_1d;
DROP TABLE rollup.sample_device_1h;
DROP TABLE rollup.sample_device_15m;
DROP TABLE rollup.sample_1d;
DROP TABLE rollup.sample_1h;
DROP TABLE rollup.sample_15m;
DROP TABLE core.sample_day;
DELETE FROM core.stale_day WHERE quarters = B'0'::bit(96);
ALTER TABLE core.stale_day DROP COLUMN sample_quarters;
COMMENT ON TABLE core.stale_day IS
  'Marks: each says which quarters of an hour (bits, the first one from midnight UTC) of a user''s day are out of date in the rollups, so that readers take them from raw readings. Every write below the horizon adds a mark of its own; a refresh deletes those that it saw, together with writing what the readings come to.';
COMMENT ON COLUMN core.stale_day.quarters IS NULL;
