ALTER TABLE core.app_user DROP COLUMN time_zone;
