-- The index in the order in which a refresh takes marks is for statements that ask for it by its condition, which always holds. To the
-- planner it looked as good as the primary key where statistics were of a table without marks, and then each answer about a
-- user read the marks of all users.
DROP INDEX core.stale_day_newest_first;
CREATE INDEX stale_day_newest_first ON core.stale_day (day DESC, user_key) WHERE version > 0;
COMMENT ON INDEX core.stale_day_newest_first IS
  'Marks of all users by day, for statements that say version > 0, which always holds. All others look marks up by user.';
