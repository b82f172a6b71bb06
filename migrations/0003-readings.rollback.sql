DROP TABLE core.reading;
