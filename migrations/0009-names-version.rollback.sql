DROP TABLE core.names_version;
