-- Writes the rollups of samples: quarters of an hour from samples, and the hours and the day around them, each from the next finer ones.
CREATE FUNCTION api_internal.roll_up_samples(day timestamptz, user_keys int[], quarters bit(96)[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  -- Whole hours below the announced horizon: what lies above is not marked when it changes.
  horizon CONSTANT timestamptz := (SELECT public.time_bucket(INTERVAL '1 hour', h.announced) FROM core.horizon AS h);
  whole   CONSTANT bit(96) := CASE WHEN day + INTERVAL '24 hours' <= horizon THEN ~ B'0'::bit(96)
                                   WHEN day < horizon THEN api_internal.quarter_bits(day, day, horizon) ELSE B'0'::bit(96) END;
  hours   record;
BEGIN
  PERFORM api_internal.roll_up_sample_quarters(day, user_keys, ARRAY(SELECT q & whole FROM unnest(quarters) WITH ORDINALITY AS u (q, n) ORDER BY n));
  SELECT array_agg(r.user_key) AS user_keys, array_agg(lower(r.run)) AS starts, array_agg(upper(r.run)) AS ends INTO hours
    FROM (SELECT m.user_key, unnest(api_internal.quarter_ranges(day, m.quarters & whole)) AS run
            FROM unnest(user_keys, quarters) AS m (user_key, quarters)) AS r;
  IF hours.user_keys IS NOT NULL THEN
    PERFORM api_internal.roll_up_samples_1h(hours.user_keys, hours.starts, hours.ends);
  END IF;
  IF day + INTERVAL '24 hours' <= horizon THEN
    PERFORM api_internal.roll_up_samples_1d(user_keys, array_fill(day, ARRAY[cardinality(user_keys)]),
                                            array_fill(day + INTERVAL '24 hours', ARRAY[cardinality(user_keys)]));
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.roll_up_samples IS
  'Brings the rollups of the samples of users up to date for the quarters of a day (UTC) whose bits are set, those of whole hours, one bit string for each user, for these hours, and for the day; hours that the announced horizon has not passed are left out. For a caller that keeps others from rolling up the same users.';
