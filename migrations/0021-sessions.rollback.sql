DROP TABLE core.ticket;
DROP TABLE core.session;
