-- A row of any resolution.
CREATE TYPE api_internal.bucket_row AS (
  bucket            timestamptz,
  first_ts          timestamptz,
  last_ts           timestamptz,
  heart_rate_sum    bigint,
  heart_rate_count  bigint,
  heart_rate_min    double precision,
  heart_rate_max    double precision,
  calories          bigint,
  steps             bigint,
  heart_rate_device int
);

COMMENT ON TYPE api_internal.bucket_row IS
  'A user''s aggregates in a bucket of any resolution: sums of heart rate (beats per minute) and calories (kilocalories) in whole millionths, null where nothing was measured; heart_rate_device is the device_key of all heart rates, 0 for several devices.';
