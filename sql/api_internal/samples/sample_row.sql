-- What samples come to in a bucket of any width.
CREATE TYPE api_internal.sample_row AS (
  metric_key  int,
  sole_device int,
  bucket      timestamptz,
  samples     bigint,
  total       numeric,
  lowest      double precision,
  highest     double precision,
  first_ts    timestamptz,
  last_ts     timestamptz,
  last_value  double precision
);

COMMENT ON TYPE api_internal.sample_row IS
  'A user''s samples of a metric in a bucket of any width that count: their number, sum in whole millionths of the metric''s unit, lowest, highest, first moment, last moment and value, and the device that gave them all, null for several.';
