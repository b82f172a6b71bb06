-- Intervals that are copied take their versions in the order in which they come.
ALTER TABLE core.interval ALTER COLUMN version SET DEFAULT nextval('core.interval_version');
