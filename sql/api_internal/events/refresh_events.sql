-- Refreshes every level of event counts over a range, each from the finer one, and commits after each.
CREATE PROCEDURE api_internal.refresh_events(range_start timestamptz, range_end timestamptz, forced boolean)
LANGUAGE plpgsql AS $$
DECLARE
  level record;
BEGIN
  FOR level IN
    SELECT * FROM (VALUES (1, 'rollup.event_1m', INTERVAL '1 minute'), (2, 'rollup.event_1h', INTERVAL '1 hour'),
                          (3, 'rollup.event_1d', INTERVAL '24 hours')) AS l (part, name, width)
  LOOP
    -- Buckets that end within the range. A bucket that the new horizon cuts is refreshed once the horizon passes its end.
    IF public.time_bucket(level.width, range_start) < public.time_bucket(level.width, range_end) THEN
      CALL public.refresh_continuous_aggregate(level.name::regclass,
                                               public.time_bucket(level.width, range_start),
                                               public.time_bucket(level.width, range_end), forced);
    END IF;
    COMMIT;
  END LOOP;
END
$$;

COMMENT ON PROCEDURE api_internal.refresh_events IS
  'Refreshes every rollup of event counts for its whole buckets in a half-open range whose ends are multiples of 15 minutes.';
