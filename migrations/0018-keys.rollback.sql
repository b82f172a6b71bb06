DROP TABLE core.access_key;
