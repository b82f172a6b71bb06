DROP TABLE core.setting;
DROP SCHEMA rollup;
DROP SCHEMA core;
