-- The bucket that auto stands for.
SELECT api.auto_bucket(%(start)s::timestamptz, %(end)s::timestamptz, %(max_points)s) AS bucket
