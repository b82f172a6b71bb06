-- The view of raw rows to read from a moment on.
CREATE FUNCTION api_internal.raw_source(from_ts timestamptz) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT CASE WHEN from_ts < h.raw_from THEN 'raw_rows' ELSE 'reading_rows' END FROM core.horizon AS h);
END
$$;

COMMENT ON FUNCTION api_internal.raw_source IS
  'The view of api_internal with every raw row from a moment on that is planned fastest: raw_rows where minutes may replace readings that retention dropped, else reading_rows.';
