-- The time zone that a user lives in.
ALTER TABLE core.app_user ADD COLUMN time_zone text COLLATE "C" CONSTRAINT time_zone_is_a_name CHECK (length(time_zone) BETWEEN 1 AND 64);
COMMENT ON COLUMN core.app_user.time_zone IS
  'The IANA time zone that the user lives in, as api.set_time_zone was called; null where that is not known.';
