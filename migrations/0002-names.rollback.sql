DROP TABLE core.known_device;
DROP TABLE core.device;
DROP TABLE core.app_user;
DROP TABLE core.tenant;
