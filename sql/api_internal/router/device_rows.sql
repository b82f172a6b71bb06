-- The rows of one device of a user, in every part of a range.
CREATE FUNCTION api_internal.device_rows(user_key int, device_key int, parts api_internal.part[])
RETURNS SETOF api_internal.bucket_row
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
  wanted_user   CONSTANT int := user_key;
  wanted_device CONSTANT int := device_key;
  level text;
BEGIN
  FOR level IN SELECT DISTINCT p.source FROM unnest(parts) AS p WHERE p.source <> 'raw' LOOP
    RETURN QUERY EXECUTE format(
      'SELECT r.bucket, r.first_ts, r.last_ts, r.heart_rate_sum, r.heart_rate_count::bigint, r.heart_rate_min,
              r.heart_rate_max, r.calories, r.steps, CASE WHEN r.heart_rate_count > 0 THEN $2 END
         FROM unnest($3) AS p
        CROSS JOIN LATERAL (
          -- A bucket in which no other device reported has only the row of the user.
          SELECT u.bucket, u.first_ts, u.last_ts, u.heart_rate_sum, u.heart_rate_count, u.heart_rate_min,
                 u.heart_rate_max, u.calories, u.steps
            FROM rollup.user_%1$s AS u
           WHERE u.user_key = $1 AND u.sole_device = $2 AND u.bucket >= p.part_start AND u.bucket < p.part_end
          UNION ALL
          SELECT d.bucket, d.first_ts, d.last_ts, d.heart_rate_sum, d.heart_rate_count, d.heart_rate_min,
                 d.heart_rate_max, d.calories, d.steps
            FROM rollup.device_%1$s AS d
           WHERE d.user_key = $1 AND d.device_key = $2 AND d.bucket >= p.part_start AND d.bucket < p.part_end
          OFFSET 0) AS r
        WHERE p.source = %1$L', level) USING wanted_user, wanted_device, parts;
  END LOOP;
  RETURN QUERY
    SELECT *
      FROM api_internal.minutes(wanted_user, (SELECT range_agg(tstzrange(p.part_start, p.part_end)) FROM unnest(parts) AS p
                                      WHERE p.source = 'raw'), wanted_device);
END
$$;

COMMENT ON FUNCTION api_internal.device_rows IS
  'The rows that api_internal.rows returns for one device: rows of any resolution that together cover the device''s readings of a user in the given parts. The parts have no midnight.';
