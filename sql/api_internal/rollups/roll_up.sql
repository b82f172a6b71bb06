-- Writes down what the readings of users come to: quarters of an hour from raw readings, hours from quarters, the day from hours.
CREATE FUNCTION api_internal.roll_up(day timestamptz, user_keys int[], quarters bit(96)[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  -- Hours and days that the horizon still cuts are written down when it passes their end. The announced one: a user with
  -- readings that this cannot see yet is marked when the other follows.
  horizon CONSTANT timestamptz := (SELECT h.announced FROM core.horizon AS h);
  hours   record;
BEGIN
  PERFORM api_internal.roll_up_quarters(day, user_keys, quarters);
  SELECT array_agg(m.user_key) AS user_keys, array_agg(day + h * INTERVAL '1 hour') AS buckets INTO hours
    FROM unnest(user_keys, quarters) AS m (user_key, quarters)
   CROSS JOIN generate_series(0, 23) AS h
   WHERE substring(m.quarters FROM h * 4 + 1 FOR 4) <> B'0000' AND day + (h + 1) * INTERVAL '1 hour' <= horizon;
  IF hours.user_keys IS NOT NULL THEN
    PERFORM api_internal.roll_up_1h(hours.user_keys, hours.buckets);
  END IF;
  IF day + INTERVAL '24 hours' <= horizon THEN
    PERFORM api_internal.roll_up_1d(user_keys, array_fill(day, ARRAY[cardinality(user_keys)]));
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.roll_up IS
  'Brings the rollups of users up to date for those quarters of a day (UTC) whose bits are set, one bit string for each user, and for the hours and the day that hold them; for a caller that keeps others from rolling up the same users.';
