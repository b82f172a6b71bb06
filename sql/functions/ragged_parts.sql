-- What lies beside the whole buckets of the coarsest level.
CREATE FUNCTION api.ragged_parts(
  coarsest text, fine interval, range_start timestamptz, range_end timestamptz, stale timestamptz[]
) RETURNS TABLE (source text, part_start timestamptz, part_end timestamptz, stale_days timestamptz[])
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  fine_from CONSTANT timestamptz := public.time_bucket(fine, range_start + fine - INTERVAL '1 microsecond');
  fine_to   CONSTANT timestamptz := public.time_bucket(fine, range_end);
  midnight  timestamptz;
BEGIN
  IF range_start >= range_end THEN
    RETURN;
  END IF;
  -- A stale day is read raw as a whole; a ragged range touches two days at most.
  midnight := public.time_bucket(INTERVAL '24 hours', range_end - INTERVAL '1 microsecond');
  IF midnight > range_start THEN
    RETURN QUERY SELECT * FROM api.ragged_parts(coarsest, fine, range_start, midnight, stale);
    RETURN QUERY SELECT * FROM api.ragged_parts(coarsest, fine, midnight, range_end, stale);
    RETURN;
  END IF;
  IF midnight = ANY (stale) THEN
    RETURN;
  END IF;
  IF fine_from >= fine_to THEN
    RETURN QUERY SELECT 'raw', range_start, range_end, NULL::timestamptz[];
    RETURN;
  END IF;
  RETURN QUERY SELECT 'raw', range_start, fine_from, NULL::timestamptz[] WHERE range_start < fine_from;
  RETURN QUERY SELECT CASE WHEN coarsest = '1m' THEN '1m' ELSE '15m' END, fine_from, fine_to, NULL::timestamptz[];
  RETURN QUERY SELECT 'raw', fine_to, range_end, NULL::timestamptz[] WHERE fine_to < range_end;
END
$$;

COMMENT ON FUNCTION api.ragged_parts IS
  'The parts of a range that is too short for a bucket of the coarsest level: whole fine buckets, raw ends, nothing for stale days.';
