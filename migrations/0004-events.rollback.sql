DROP TABLE core.event;
DROP TABLE core.event_id;
