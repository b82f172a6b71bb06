-- The finest bucket that divides a range into at most max_points.
CREATE FUNCTION api.auto_bucket(range_start timestamptz, range_end timestamptz, max_points int) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN coalesce((SELECT w.name
                   FROM (VALUES ('1m', 60), ('5m', 300), ('15m', 900), ('1h', 3600), ('1d', 86400), ('1w', 604800))
                     AS w (name, seconds)
                  WHERE extract(epoch FROM range_end) - extract(epoch FROM range_start) <= w.seconds::numeric * max_points
                  ORDER BY w.seconds
                  LIMIT 1), '1mo');

COMMENT ON FUNCTION api.auto_bucket IS
  'The finest of 1m, 5m, 15m, 1h, 1d and 1w that divides the range into at most max_points buckets; 1mo if none does.';
