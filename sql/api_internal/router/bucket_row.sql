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
  'What a user did in a bucket of any resolution: sums of heart rate (beats per minute) and calories (kilocalories) in whole millionths, null where nothing was measured; the device_key that heart rate came from, 0 where several did.';
