-- The hours that ranges touch.
CREATE FUNCTION api_internal.whole_hours(ranges tstzmultirange) RETURNS tstzmultirange
LANGUAGE sql IMMUTABLE
RETURN (SELECT coalesce(range_agg(tstzrange(public.time_bucket(INTERVAL '1 hour', lower(r.range)),
                                            public.time_bucket(INTERVAL '1 hour', upper(r.range) + INTERVAL '3599999999 microseconds'))), '{}')
          FROM unnest(ranges) AS r (range));

COMMENT ON FUNCTION api_internal.whole_hours IS 'The whole hours (UTC) that half-open ranges overlap.';
