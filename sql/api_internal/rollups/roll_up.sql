-- Writes the rollups of users: quarters of an hour from raw readings, and the coarser buckets around them, each from the
-- next finer ones.
CREATE FUNCTION api_internal.roll_up(day timestamptz, user_keys int[], quarters bit(96)[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  -- Buckets that the horizon cuts are written once it passes their end. This is the announced horizon: users with readings
  -- that are not visible here yet are marked when the materialized horizon follows.
  horizon CONSTANT timestamptz := (SELECT h.announced FROM core.horizon AS h);
  plain   record;
  cells   record;
  hours   record;
  blocks  record;
BEGIN
  SELECT array_agg(m.user_key) FILTER (WHERE NOT i.are_there) AS user_keys, array_agg(m.quarters) FILTER (WHERE NOT i.are_there) AS quarters
    INTO plain
    FROM unnest(user_keys, quarters) AS m (user_key, quarters)
   CROSS JOIN LATERAL (SELECT api_internal.has_intervals(m.user_key) AS are_there) AS i;
  IF plain.user_keys IS NOT NULL THEN
    PERFORM api_internal.roll_up_quarters(day, plain.user_keys, plain.quarters);
  END IF;
  IF cardinality(plain.user_keys) IS DISTINCT FROM cardinality(user_keys) THEN
    SELECT array_agg(m.user_key) AS user_keys, array_agg(m.quarters) AS quarters INTO cells
      FROM unnest(user_keys, quarters) AS m (user_key, quarters)
     WHERE m.user_key <> ALL (coalesce(plain.user_keys, '{}'));
    PERFORM api_internal.roll_up_cells(day, cells.user_keys, cells.quarters);
  END IF;
  SELECT array_agg(m.user_key) AS user_keys, array_agg(day + h * INTERVAL '1 hour') AS buckets INTO hours
    FROM unnest(user_keys, quarters) AS m (user_key, quarters)
   CROSS JOIN generate_series(0, 23) AS h
   WHERE substring(m.quarters FROM h * 4 + 1 FOR 4) <> B'0000' AND day + (h + 1) * INTERVAL '1 hour' <= horizon;
  IF hours.user_keys IS NOT NULL THEN
    PERFORM api_internal.roll_up_1h(hours.user_keys, hours.buckets);
  END IF;
  SELECT array_agg(m.user_key) AS user_keys, array_agg(day + b * INTERVAL '4 hours') AS buckets INTO blocks
    FROM unnest(user_keys, quarters) AS m (user_key, quarters)
   CROSS JOIN generate_series(0, 5) AS b
   WHERE substring(m.quarters FROM b * 16 + 1 FOR 16) <> B'0000000000000000' AND day + (b + 1) * INTERVAL '4 hours' <= horizon;
  IF blocks.user_keys IS NOT NULL THEN
    PERFORM api_internal.roll_up_4h(blocks.user_keys, blocks.buckets);
  END IF;
  IF day + INTERVAL '24 hours' <= horizon THEN
    PERFORM api_internal.roll_up_1d(user_keys, array_fill(day, ARRAY[cardinality(user_keys)]));
  END IF;
END
$$;

COMMENT ON FUNCTION api_internal.roll_up IS
  'Brings the rollups of users up to date for the quarters of a day (UTC) whose bits are set, one bit string for each user, and for the hours, four hours and day around them; for a caller that keeps others from rolling up the same users.';
