DROP TABLE core.key_allowance;
ALTER TABLE core.access_key
  DROP COLUMN requests_per_second,
  DROP COLUMN readings_per_second,
  DROP COLUMN bytes_per_day;
