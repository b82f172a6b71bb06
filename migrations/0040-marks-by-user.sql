-- The index in the order in which a refresh takes marks is for statements that ask for it by its condition, which always holds. To the
-- planner it looked as good as the primary key where statistics were of a table without marks, and then each answer about a
-- user read the marks of all users.
DROP INDEX core.stale_day_newest_first;
CREATE INDEX stale_day_newest_first ON core.stale_day (day DESC, user_key) WHERE version > 0;
COMMENT ON INDEX core.stale_day_newest_first IS
  'Marks of all users by day, for statements that say version > 0, which always holds. All others look marks up by user.';

-- A table of no pages, or of few, looks cheap to read as a whole, also to plans that are kept until the next burst of late readings. So
-- the table keeps its pages while it has no rows, and has some from the beginning.
ALTER TABLE core.stale_day SET (vacuum_truncate = false);
INSERT INTO core.stale_day (user_key, day, quarters) SELECT -1, '2000-01-01 00:00+00', B'0'::bit(96) FROM generate_series(1, 10000);
DELETE FROM core.stale_day WHERE user_key = -1;
