-- The bucket that auto chooses.
SELECT api.auto_bucket(%(start)s::timestamptz, %(end)s::timestamptz, %(max_points)s) AS bucket
