-- What a device measured at moments of a bucket, of one metric.
CREATE TYPE api_internal.cell_part AS (
  bucket     timestamptz,
  first_ts   timestamptz,
  last_ts    timestamptz,
  minutes    bigint,
  samples    bigint,
  user_key   int,
  metric_key int,
  device_key int,
  total      numeric
);

COMMENT ON TYPE api_internal.cell_part IS
  'What a device of a user measured at moments of a bucket, of a metric: their number, sum in whole millionths, first and last moment, and in which minutes of the hour they lie, as bits, the first minute as 1.';
