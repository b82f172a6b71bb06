-- Where the raw rows from a moment on are.
CREATE FUNCTION api_internal.raw_source(from_ts timestamptz) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT CASE WHEN from_ts < h.raw_from THEN 'raw_rows' ELSE 'reading_rows' END FROM core.horizon AS h);
END
$$;

COMMENT ON FUNCTION api_internal.raw_source IS
  'The view of api_internal that holds every raw row from a moment on and is planned soonest: raw_rows where minutes may stand in for readings that retention dropped, reading_rows elsewhere.';
