-- Spans in which local days have 24 hours, and spans around clock changes.
CREATE FUNCTION api_internal.local_spans(tz text, range_start timestamptz, range_end timestamptz)
RETURNS TABLE (span_start timestamptz, span_end timestamptz, midnight timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
  done_to timestamptz := range_start;
  change  timestamptz;
BEGIN
  FOR change IN SELECT c FROM api_internal.clock_changes(tz, range_start, range_end) AS c ORDER BY c LOOP
    span_start := done_to; span_end := least(change - INTERVAL '24 hours', range_end);
    IF span_start < span_end THEN
      midnight := span_start - ((span_start AT TIME ZONE tz) - date_trunc('day', span_start AT TIME ZONE tz));
      RETURN NEXT;
      done_to := span_end;
    END IF;
    span_start := done_to; span_end := least(change + INTERVAL '25 hours', range_end); midnight := NULL;
    IF span_start < span_end THEN
      RETURN NEXT;
      done_to := span_end;
    END IF;
  END LOOP;
  IF done_to < range_end THEN
    span_start := done_to; span_end := range_end;
    midnight := span_start - ((span_start AT TIME ZONE tz) - date_trunc('day', span_start AT TIME ZONE tz));
    RETURN NEXT;
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.local_spans IS
  'Splits a half-open range into spans without a clock change in the time zone, each with a midnight from which local days begin every 24 hours, and the days around a clock change, without a midnight.';
