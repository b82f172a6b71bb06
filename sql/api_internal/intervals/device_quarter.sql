-- A device's readings in a quarter of an hour.
CREATE TYPE api_internal.device_quarter AS (
  bucket             timestamptz,
  first_ts           timestamptz,
  last_ts            timestamptz,
  heart_rate_sum     bigint,
  heart_rate_min     double precision,
  heart_rate_max     double precision,
  calories           bigint,
  steps              bigint,
  heart_rate_minutes bigint,
  calories_minutes   bigint,
  steps_minutes      bigint,
  user_key           int,
  device_key         int,
  heart_rate_count   int
);

COMMENT ON TYPE api_internal.device_quarter IS
  'What a device of a user measured by readings in a quarter of an hour, with columns as in rollup.device_15m, and in which minutes of the hour each metric was measured, as bits, the first minute as 1.';
