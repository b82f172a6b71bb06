-- A hypertable of the same shape as core.reading, with nothing above it: what COPY fills.
CREATE SCHEMA bench;
CREATE TABLE bench.reading (LIKE core.reading INCLUDING ALL);
SELECT create_hypertable('bench.reading', by_range('ts', INTERVAL '1 day'), create_default_indexes => false);
ALTER TABLE bench.reading SET (
  timescaledb.compress,
  timescaledb.compress_segmentby = 'user_key, device_key',
  timescaledb.compress_orderby = 'ts DESC'
);
