-- The number of stale user-days, and the oldest and newest of their marks.
SELECT count(DISTINCT (user_key, day)), min(version), max(version) FROM core.stale_day
