-- Exact aggregates of a user over any range.
CREATE FUNCTION api.summary(
  tenant_id text, user_id text, range_start timestamptz, range_end timestamptz, device_id text DEFAULT NULL
) RETURNS TABLE (
  heart_rate_count bigint,
  heart_rate_avg   double precision,
  heart_rate_min   double precision,
  heart_rate_max   double precision,
  steps            bigint,
  calories         double precision,
  first            timestamptz,
  last             timestamptz,
  sources          text[]
)
LANGUAGE sql STABLE AS $$
  SELECT coalesce(sum(m.heart_rate_count), 0)::bigint,
         api.from_micro(sum(m.heart_rate_sum)::bigint, nullif(sum(m.heart_rate_count)::bigint, 0)),
         min(m.heart_rate_min),
         max(m.heart_rate_max),
         sum(m.steps)::bigint,
         api.from_micro(sum(m.calories)::bigint),
         min(m.first_ts),
         max(m.last_ts),
         ARRAY['raw']
    FROM api.minutes(tenant_id, user_id, range_start, range_end, device_id) AS m
$$;

COMMENT ON FUNCTION api.summary IS
  'One row: what a user''s readings in range_start <= t < range_end come to. Heart rate in beats per minute, calories in kilocalories; null where nothing was measured; first and last are null when the range holds no reading. sources names the resolutions that answered.';
