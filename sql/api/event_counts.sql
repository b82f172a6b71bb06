-- Counts a tenant's events by bucket, source and type, over any range.
CREATE FUNCTION api.event_counts(
  tenant_id text, bucket_size text, source text DEFAULT NULL, event_type text DEFAULT NULL,
  range_start timestamptz DEFAULT NULL, range_end timestamptz DEFAULT NULL
) RETURNS TABLE (bucket timestamptz, source text, event_type text, count bigint)
-- SQL, because PL/pgSQL refuses a result column with the name of an argument.
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT c.bucket, c.source, c.event_type, c.count
    FROM api_internal.count_events($1, $2, $3, $4, $5, $6) AS c
$$;

COMMENT ON FUNCTION api.event_counts IS
  'The number of a tenant''s events in each bucket (UTC) of 1m, 1h or 1d (also minute, hour and day), by source and event_type, exact at every moment. Counts range_start <= ts < range_end, where null is unbounded, and one source or event_type if given. Ordered by bucket, source and event_type; buckets without events have no row.';
