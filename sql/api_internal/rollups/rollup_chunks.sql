-- How many chunks rollups have.
CREATE FUNCTION api_internal.rollup_chunks() RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT count(*)
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_inherits AS i ON i.inhparent = c.oid
   WHERE c.relnamespace = 'rollup'::regnamespace
$$;

COMMENT ON FUNCTION api_internal.rollup_chunks IS
  'The number of chunks of all tables of the schema rollup, by which a refresh knows whether it has made one.';
