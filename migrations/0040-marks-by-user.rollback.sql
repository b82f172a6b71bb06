ALTER TABLE core.stale_day RESET (vacuum_truncate);
DROP INDEX core.stale_day_newest_first;
CREATE INDEX stale_day_newest_first ON core.stale_day (day DESC, user_key);
