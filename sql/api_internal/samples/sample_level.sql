-- The coarsest rollup of samples for buckets of a width.
CREATE FUNCTION api_internal.sample_level(width interval) RETURNS text
-- Without a fixed search_path, so that it is inlined.
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN width >= INTERVAL '24 hours' THEN '1d' WHEN width = INTERVAL '1 hour' THEN '1h'
              WHEN width = INTERVAL '15 minutes' THEN '15m' ELSE 'raw' END
$$;

COMMENT ON FUNCTION api_internal.sample_level IS
  'The coarsest rollup of samples that buckets of a width can be added up from: 1d, 1h or 15m; raw for none.';
