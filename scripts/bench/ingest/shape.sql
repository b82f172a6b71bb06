-- Hypertables of the same shape as core.reading, core.sample and core.interval, with nothing above them: what COPY fills.
CREATE SCHEMA bench;
CREATE TABLE bench.reading (LIKE core.reading INCLUDING ALL);
SELECT create_hypertable('bench.reading', by_range('ts', INTERVAL '1 day'), create_default_indexes => false);
ALTER TABLE bench.reading SET (
  timescaledb.compress,
  timescaledb.compress_segmentby = 'user_key, device_key',
  timescaledb.compress_orderby = 'ts DESC'
);
CREATE TABLE bench.sample (LIKE core.sample INCLUDING ALL);
SELECT create_hypertable('bench.sample', by_range('ts', INTERVAL '28 days'), create_default_indexes => false);
CREATE TABLE bench.interval (LIKE core.interval INCLUDING ALL);
SELECT create_hypertable('bench.interval', by_range('ts', INTERVAL '28 days'), create_default_indexes => false);
